/* SPDX-License-Identifier: Apache-2.0 */
/* Stream IDs that were used and may not come again: bounded in number and in time. */
#ifndef QKD_KME_BURNT004_H
#define QKD_KME_BURNT004_H

#include <stdint.h>
#include <sys/queue.h>

#include "kme/id_table.h"

enum { BURNT004_MAX = 262144 };

struct burnt_id;

struct burnt004 {
    struct id_table table;
    TAILQ_HEAD(, burnt_id) oldest_first;
    void (*forgotten)(void *arg, const struct key_id *id); /* NULL: nobody wants to know */
    void *arg;
};

void burnt004_init(struct burnt004 *burnt);
void burnt004_free(struct burnt004 *burnt);

/* Who is told of each ID that is forgotten, but not of those that are there at the end. */
void burnt004_on_forgotten(struct burnt004 *burnt,
                           void (*forgotten)(void *arg, const struct key_id *id), void *arg);

/* Remembers an ID; the oldest makes room. Out of memory, it is forgotten. */
void burnt004_add(struct burnt004 *burnt, const struct key_id *id, int64_t now_ns);
bool burnt004_has(const struct burnt004 *burnt, const struct key_id *id);

/* Forgets what was burnt before then. */
void burnt004_expire(struct burnt004 *burnt, int64_t before_ns);

#endif
