/* SPDX-License-Identifier: Apache-2.0 */
/* All peer key servers: for each a store, a link and the key streams over it. */
#ifndef QKD_KME_PEERS_H
#define QKD_KME_PEERS_H

#include <stddef.h>

#include "base/status.h"
#include "kme/catalogue004.h"
#include "kme/link_door.h"
#include "kme/peer.h"

struct peers {
    const struct env *env;
    struct catalogue004 catalogue;
    struct peer *items; /* as many as there are links in the configuration, and in that order */
    size_t count;
    struct link_door *doors[CONFIG_LINKS_MAX]; /* one for each address where peers connect */
    size_t door_count;
};

/* Borrows env. False, and *status, when it cannot; free it in either case. */
bool peers_start(struct peers *peers, const struct env *env, struct status *status);

/* What can outlive the process goes to the shelf. */
void peers_free(struct peers *peers);

/* Whether the peers have heard of all that was done here; those without a link do not count. */
bool peers_are_idle(const struct peers *peers);

/* The peer that an SAE is behind, as the configuration has it now; NULL if it is behind none. */
struct peer *peers_of_sae(const struct peers *peers, const char *sae);

/* Once a second: wipes what has outlived its time. */
void peers_tick(struct peers *peers);

#endif
