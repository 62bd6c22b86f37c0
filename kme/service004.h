/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ETSI GS QKD 004 for the SAEs of this site, over TLS with client certificates. Where the
 * configuration has no etsi004 it serves nobody, refuses what SAEs of the other site open, and
 * burns the blocks that the other end cuts for it all the same.
 */
#ifndef QKD_KME_SERVICE004_H
#define QKD_KME_SERVICE004_H

#include "base/status.h"
#include "kme/env.h"
#include "kme/link.h"
#include "kme/metrics.h"
#include "kme/store.h"

struct service004;

/* Borrows all. NULL, and *status, when it cannot. */
struct service004 *service004_new(const struct env *env, struct store *store, struct link *link,
                                  struct status *status);
void service004_free(struct service004 *service);

/* Once a second: ends what has outlived its TTL. */
void service004_tick(struct service004 *service);

/* The streams by state. */
struct metrics_streams service004_streams(const struct service004 *service);

#endif
