/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the standard leaves a choice, or where clients of the field expect something else than it
 * says: the choices of each value of etsi004.compat, as a table.
 */
#ifndef QKD_KME_POLICY004_H
#define QKD_KME_POLICY004_H

#include <stdbool.h>

#include "kme/config.h"

struct policy004 {
    const char *name;
    bool opens_at_once; /* OPEN_CONNECT never waits for the peer, and status 1 is never sent */
    bool opens_with_proposal; /* status 7 opens the stream with the QoS that it proposes */
    bool timeout_0_is_now;    /* Timeout 0 means status 6 at once, not our default */
    bool repeats_positions;   /* a delivered position stays readable until its TTL */
    bool reads_alone;         /* who has got the ID from us may read before the peer opens */
    bool reopens;             /* a closed ID may be opened again */
    int max_wait_ms;          /* for any call; 0 for no limit of its own */
};

const struct policy004 *policy004_of(const struct kme_config *config);

/* How long a call of this Timeout may wait (open question 45: the answer leaves 250 ms before the
 * client gives up, but not before half of the time is over). */
int policy004_wait_ms(const struct policy004 *policy, uint32_t timeout_ms);

#endif
