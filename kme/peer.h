/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One peer key server, and what this one has for it. peers.c owns it and fills it in at the start;
 * every part of it borrows it for as long as the process runs.
 */
#ifndef QKD_KME_PEER_H
#define QKD_KME_PEER_H

#include "kme/config.h"
#include "kme/env.h"
#include "kme/metrics.h"
#include "kme/rate_meter.h"

struct peer {
    char *kme_id;
    struct metrics_peer counters;
    struct rate_meter rate; /* of generated_bits */
    struct store *store;
    struct link *link;
    struct streams004 *streams;
};

/* How the link to the peer is configured now. Valid until a reload; never NULL. */
static inline const struct config_link *peer_config(const struct env *env, const struct peer *peer)
{
    return kme_config_link(env->config, peer->kme_id);
}

#endif
