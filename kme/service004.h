/* SPDX-License-Identifier: Apache-2.0 */
/* ETSI GS QKD 004 for the SAEs of this site, over TLS with client certificates. */
#ifndef QKD_KME_SERVICE004_H
#define QKD_KME_SERVICE004_H

#include "base/status.h"
#include "kme/env.h"
#include "kme/link.h"
#include "kme/metrics.h"
#include "kme/store.h"

struct service004;

/* Borrows all; the configuration must have etsi004. NULL, and *status, when it cannot. */
struct service004 *service004_new(const struct env *env, struct store *store, struct link *link,
                                  struct status *status);
void service004_free(struct service004 *service);

/* Once a second: ends what has outlived its TTL. NULL is allowed. */
void service004_tick(struct service004 *service);

/* The streams by state; none for NULL. */
struct metrics_streams service004_streams(const struct service004 *service);

#endif
