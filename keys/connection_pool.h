/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle connections to one key server. Without locks: a lock held by another thread while the
 * process forks would stay locked in the child. A forked child finds the pool empty.
 */
#ifndef QKD_KEYS_CONNECTION_POOL_H
#define QKD_KEYS_CONNECTION_POOL_H

#include "net/connection.h"

struct connection_pool;

struct connection_pool *connection_pool_new(void);

/* Closes every descriptor and sends nothing: this runs in forked children and at exit. */
void connection_pool_free(struct connection_pool *pool);

/* An idle connection that is still alive, or NULL. The caller owns it. */
struct connection *connection_pool_take(struct connection_pool *pool);

/* Gives one back that is fit for another request; takes ownership. Closes it when the pool
 * holds enough. */
void connection_pool_put(struct connection_pool *pool, struct connection *connection);

#endif
