/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ETSI GS QKD 004 for the SAEs of this site, over TLS with client certificates. Where the
 * configuration has no etsi004 it serves nobody; peer004.c then refuses what SAEs of other sites
 * open, and burns the blocks that the other end cuts for it all the same.
 */
#ifndef QKD_KME_SERVICE004_H
#define QKD_KME_SERVICE004_H

#include "base/status.h"
#include "kme/env.h"
#include "kme/peers.h"

struct service004;

/* Borrows all. NULL, and *status, when it cannot. */
struct service004 *service004_new(const struct env *env, struct peers *peers,
                                  struct status *status);
/* Accepts no more connections. */
void service004_drain(struct service004 *service);
/* Whether no call waits and no answer waits to be written. */
bool service004_is_idle(const struct service004 *service);

void service004_free(struct service004 *service);

#endif
