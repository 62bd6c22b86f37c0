/* SPDX-License-Identifier: Apache-2.0 */
/* What waits to be written on a shelf, in order. Private to shelf.c and shelf_writer.c. */
#ifndef QKD_KME_SHELF_QUEUE_H
#define QKD_KME_SHELF_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kme/shelf.h"
#include "kme/shelf_file.h"

enum shelf_action { SHELF_PUT, SHELF_TAKE };

/* One thing to do, with its octets behind it. */
struct shelf_operation {
    struct shelf_operation *next;
    uint64_t ticket;
    size_t size_bytes; /* all of this */
    enum shelf_action action;
    bool ends;              /* the last of its transaction */
    struct shelf_item item; /* points into this */
    struct key_id id;
    char peer[SHELF_PEER_MAX_CHARS + 1];
    uint8_t octets[];
};

struct shelf_queue {
    struct shelf_operation *first, *last; /* owned */
    size_t bytes;
};

/* NULL when out of memory, or when something is too long. */
struct shelf_operation *shelf_operation_new(enum shelf_action action, enum shelf_kind kind,
                                            const char *peer, const struct key_id *id,
                                            const void *octets, size_t length);
void shelf_operation_free(struct shelf_operation *operation);

/* All zeros is an empty queue. */
void shelf_queue_add(struct shelf_queue *queue, struct shelf_operation *operation);

/* Appends all of one queue to another and empties it. */
void shelf_queue_move(struct shelf_queue *to, struct shelf_queue *from);

/* Takes whole transactions off the front: one, and more up to a size. */
struct shelf_queue shelf_queue_cut(struct shelf_queue *from, size_t max_bytes);

void shelf_queue_wipe(struct shelf_queue *queue);

#endif
