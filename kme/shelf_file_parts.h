/* SPDX-License-Identifier: Apache-2.0 */
/* What shelf_file_open.c and shelf_file.c share, and nobody else. */
#ifndef QKD_KME_SHELF_FILE_PARTS_H
#define QKD_KME_SHELF_FILE_PARTS_H

#include <sqlite3.h>

#include "base/secret.h"
#include "kme/seal.h"
#include "kme/shelf.h"
#include "kme/shelf_file.h"
#include "kme/shelf_slots.h"

enum {
    SHELF_FILE_ABOUT_BYTES = 2 * SHELF_PEER_MAX_CHARS + 64 /* what is authenticated */
};

struct shelf_file {
    char *path;
    char *kme_id;
    OSSL_LIB_CTX *libctx;
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *put, *find, *take;
    struct shelf_slots slots;
    struct secret *key;    /* of the key file; NULL: not sealed */
    struct sealer *sealer; /* of this process's generation */
    int64_t generation;
    struct sealer *old_sealer; /* of the generation that was last read */
    int64_t old_generation;
    uint8_t *sealed; /* room for the octets of one item */
    uint64_t log_frames;
    struct shelf_file_counts counts;
};

/* What seals an item to its place; returns its length. */
size_t shelf_file_about(const struct shelf_file *file, const struct shelf_item *item,
                        int64_t generation, uint8_t about[static SHELF_FILE_ABOUT_BYTES]);

/* Fails the status with what SQLite and the system say; always false. */
bool shelf_file_fail(const struct shelf_file *file, const char *doing, struct status *status);

#endif
