/* SPDX-License-Identifier: Apache-2.0 */
/* GET /healthz and GET /metrics for this machine's administrator: plain HTTP, loopback only. */
#ifndef QKD_KME_ADMIN_H
#define QKD_KME_ADMIN_H

#include "base/status.h"
#include "kme/env.h"
#include "kme/peers.h"

struct admin;

/* Borrows all; listens as the configuration says. */
struct admin *admin_new(const struct env *env, const struct peers *peers, struct status *status);
void admin_free(struct admin *admin);

#endif
