/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For whom the keys of a request are: the slave SAE in the URL and the additional ones, and the
 * links that they are behind (clause 6.2, Annex B). A key is cut from the link of the URL's slave;
 * to every other peer it goes under a one-time pad cut from that peer's link, so that it is never
 * covered by less than the quantum channels. Private to *014.c.
 */
#ifndef QKD_KME_AUDIENCE014_H
#define QKD_KME_AUDIENCE014_H

#include "kme/call014.h"

struct audience014 {
    size_t count;
    const char *saes[NAMES_MAX];   /* the URL's first; borrowed from the call and the request */
    struct peer *peers[NAMES_MAX]; /* that they are behind */
};

/* False, and *error, when one of the SAEs is unknown, the caller, or there twice, or when there are
 * too many. */
bool audience014_find(const struct call014 *call, const struct etsi014_key_request *asked,
                      struct audience014 *audience, struct etsi014_error *error);

/* Whether all the links have what the request takes. Nothing is taken. If not, *soon: one of them
 * has it, but at rest, and opens it now. */
bool audience014_is_served(const struct call014 *call, const struct etsi014_key_request *asked,
                           const struct audience014 *audience, bool *soon,
                           struct etsi014_error *error);

/* Cuts one key for all of them, and tells their key servers. The key is owned by the caller.
 * Needs audience014_is_served. */
bool audience014_reserve(const struct call014 *call, uint32_t size_bits,
                         const struct audience014 *audience, struct etsi014_key *key,
                         struct status *status);

/* Answers, and takes the keys over, once the key servers that keys were relayed to have them, or
 * when hold_ms are over. False: nobody is waited for, answer now. */
bool held_keys014(const struct call014 *call, const struct audience014 *audience,
                  struct etsi014_container *container);

/* A peer has acknowledged something; arg is the struct service014. */
void held_keys014_told(void *arg);

#endif
