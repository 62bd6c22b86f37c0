/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key streams of all links together: a Key_stream_ID is one stream's, whichever link it is on,
 * and an SAE has one limit for all of them. Private to *004.c and peers.c.
 */
#ifndef QKD_KME_CATALOGUE004_H
#define QKD_KME_CATALOGUE004_H

#include <sys/queue.h>

#include "kme/burnt004.h"
#include "kme/config.h"
#include "kme/id_table.h"
#include "kme/record004.h"
#include "kme/state004.h"

struct opener004;
struct stream004;

struct catalogue004 {
    struct id_table table; /* of struct stream004 */
    size_t counts[STATE004_COUNT];
    struct burnt004 burnt;
    struct record004 record;
    LIST_HEAD(, opener004) openers;
};

/* How many streams one SAE has opened first. */
struct opener004 {
    size_t count;
    LIST_ENTRY(opener004) next;
    char sae[];
};

void catalogue004_init(struct catalogue004 *catalogue);

/* Its streams are gone before. */
void catalogue004_free(struct catalogue004 *catalogue);

/* NULL if there is none, or it is dead. */
struct stream004 *catalogue004_find(const struct catalogue004 *catalogue, const struct key_id *id);

/* The counter of an SAE, made when it is not there yet; NULL when out of memory. */
struct opener004 *catalogue004_opener(struct catalogue004 *catalogue, const char *sae);

/* Whether one more may be opened, here by this SAE, or by a peer (NULL). */
bool catalogue004_has_room(struct catalogue004 *catalogue, const struct kme_config *config,
                           const char *sae);

#endif
