/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ETSI GS QKD 014 V1.1.1 for the SAEs of this site: HTTPS with client certificates, routing,
 * and answers in the shapes of clauses 5 and 6.
 */
#ifndef QKD_KME_SERVICE014_H
#define QKD_KME_SERVICE014_H

#include "base/status.h"
#include "kme/env.h"
#include "kme/peers.h"

struct service014;

/* Borrows all; listens as the configuration says. */
struct service014 *service014_new(const struct env *env, struct peers *peers,
                                  struct status *status);
/* Of http_server. */
void service014_drain(struct service014 *service);
bool service014_is_idle(const struct service014 *service);

void service014_free(struct service014 *service);

#endif
