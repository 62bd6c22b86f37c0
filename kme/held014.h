/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of SAEs that wait: for news from the peer, for the disk, for material. What waits begins
 * with a struct held014, is in one list of its service, and ends when it is answered, when its
 * time is up, or when the SAE goes away. Private to the *014.c files that hold calls.
 */
#ifndef QKD_KME_HELD014_H
#define QKD_KME_HELD014_H

#include "kme/call014.h"

struct held014 {
    struct call014 call;
    char caller[ETSI014_ID_MAX_CHARS + 1]; /* the configuration may change meanwhile */
    const struct held014_kind *kind;
    struct held014_list *list;
    struct event *give_up;
    TAILQ_ENTRY(held014) next;
};

struct held014_kind {
    size_t size_bytes; /* of what begins with the struct held014 */
    /* Must answer the call, and release it. */
    void (*time_is_up)(void *held);
    /* Frees what is in it, before it is freed itself; may be NULL. */
    void (*forget)(void *held);
};

/* Holds the call for so long; what follows the struct held014 is zeros. NULL when out of memory:
 * the call is then to be answered at once. */
void *held014_new(const struct call014 *call, const struct held014_kind *kind,
                  struct held014_list *list, int64_t hold_ms);

/* After the answer. */
void held014_release(struct held014 *held);

#endif
