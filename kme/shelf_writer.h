/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that writes the file of a shelf: all that waits by then goes into one transaction
 * and one sync. All signals are blocked in it.
 */
#ifndef QKD_KME_SHELF_WRITER_H
#define QKD_KME_SHELF_WRITER_H

#include "kme/shelf_queue.h"

struct shelf_writer;

struct shelf_writer_state {
    uint64_t settled; /* ticket */
    uint64_t transactions;
    uint64_t queued_bytes;
    struct shelf_file_counts counts;
    struct status failure; /* OUTCOME_OK while the disk does as it is told */
};

/* Starts the thread, which alone may touch the file until shelf_writer_stop. `wake_fd` (an
 * eventfd) is borrowed; it is written to whenever the state has news. NULL when out of memory or
 * threads. */
struct shelf_writer *shelf_writer_start(struct shelf_file *file, int wake_fd);

/* Writes all that is queued, ends the thread, frees; *state receives the last one. */
void shelf_writer_stop(struct shelf_writer *writer, struct shelf_writer_state *state);

/* Takes over what is in the queue: one transaction. */
void shelf_writer_submit(struct shelf_writer *writer, struct shelf_queue *queue);

void shelf_writer_look(struct shelf_writer *writer, struct shelf_writer_state *state);

#endif
