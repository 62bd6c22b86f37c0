/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a shelf: an SQLite database with a write-ahead log, sealed where there is a key
 * file. Every function may wait for the disk. One thread at a time. What the items are for: see
 * shelf.h.
 */
#ifndef QKD_KME_SHELF_FILE_H
#define QKD_KME_SHELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "base/key_id.h"
#include "base/status.h"

enum { SHELF_LOG_MAX_BYTES = 4 * 1048576 /* of the write-ahead log before it is scrubbed */ };

struct shelf_file;

/* One item of the file; `kind` is an enum shelf_kind. */
struct shelf_item {
    int kind;
    const char *peer;
    const struct key_id *id;
    const uint8_t *octets; /* NULL where they do not matter */
    size_t length;
};

struct shelf_file_counts {
    uint64_t items, file_bytes, damaged_items, damaged_bytes;
};

/* Makes SQLite wipe the memory that it gives back. Before the first other use of it in a process;
 * false when it was too late. */
bool shelf_file_wipe_memory(void);

/* See shelf_open. Nothing in the arguments is kept. */
struct shelf_file *shelf_file_open(OSSL_LIB_CTX *libctx, const char *kme_id, const char *path,
                                   const char *key_file, struct status *status);

/* Scrubs and closes; false, and *status, when the disk refused. NULL is allowed: true. */
bool shelf_file_close(struct shelf_file *file, struct status *status);

/* A transaction: what is put and taken after begin is there for good once commit said true. After
 * a failure of any of them the file is of no more use but to be closed. */
bool shelf_file_begin(struct shelf_file *file, struct status *status);
bool shelf_file_put(struct shelf_file *file, const struct shelf_item *item, struct status *status);
bool shelf_file_take(struct shelf_file *file, const struct shelf_item *item, struct status *status);
bool shelf_file_commit(struct shelf_file *file, struct status *status);

/* Octets in the write-ahead log that a scrub would overwrite. */
uint64_t shelf_file_log_bytes(const struct shelf_file *file);

/* Brings the log into the database, where deleted octets are overwritten, and overwrites it. */
bool shelf_file_scrub(struct shelf_file *file, struct status *status);

/* See shelf_load; `each` may end it with false. Items that do not unseal are removed. */
bool shelf_file_load(struct shelf_file *file, int kind, const char *peer,
                     bool (*each)(void *arg, const char *peer, const struct key_id *id,
                                  const uint8_t *octets, size_t length),
                     void *arg, struct status *status);

void shelf_file_count(const struct shelf_file *file, struct shelf_file_counts *counts);

#endif
