/* SPDX-License-Identifier: Apache-2.0 */
/* A listening TCP socket on the event loop. */
#ifndef QKD_KME_LISTENER_H
#define QKD_KME_LISTENER_H

#include "base/status.h"
#include "kme/address.h"
#include "kme/env.h"

struct listener;

/* The callback owns fd: non-blocking, close-on-exec, without Nagle's delay. */
typedef void (*listener_accept)(void *arg, int fd);

/* NULL, and *status (OUTCOME_CONFIG) naming the address, when it cannot listen there. */
struct listener *listener_new(const struct env *env, const struct address *address,
                              listener_accept accept, void *arg, struct status *status);
void listener_free(struct listener *listener);

#endif
