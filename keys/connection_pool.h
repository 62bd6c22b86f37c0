/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kept connections to one key server. Without locks: a lock held by another thread while the
 * process forks would stay locked in the child. A forked child finds the pool empty.
 */
#ifndef QKD_KEYS_CONNECTION_POOL_H
#define QKD_KEYS_CONNECTION_POOL_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/log.h"
#include "net/connection.h"

/* A connection while one thread uses it, with what belongs to its next use. */
struct kept_connection {
    struct connection *connection;
    struct buf input;      /* octets received and not yet understood */
    size_t unread_answers; /* to requests whose answers nobody waited for */
    pid_t owner;
    int64_t idle_since_ns;
};

struct connection_pool;

/* Borrows both; log may be NULL. NULL when out of memory. */
struct connection_pool *connection_pool_new(struct endpoint *endpoint, const struct log *log);

/* Closes every descriptor and sends nothing: this runs in forked children and at exit. */
void connection_pool_free(struct connection_pool *pool);

/* An idle connection that is still alive as far as can be told, or NULL. The caller owns it. */
struct kept_connection *connection_pool_take(struct connection_pool *pool);

/* A new connection, owned by the caller. */
struct kept_connection *connection_pool_open(struct connection_pool *pool,
                                             const struct deadline *deadline,
                                             struct status *status);

/* An idle one unless `fresh`, or a new one that is being made, owned by the caller. */
struct kept_connection *connection_pool_begin(struct connection_pool *pool, bool fresh,
                                              const struct deadline *deadline,
                                              struct status *status);

/* Goes on with the making of it, as connection_advance does. */
bool connection_pool_advance(const struct connection_pool *pool, struct kept_connection *kept,
                             const struct deadline *deadline, struct status *status);

/* Gives one back that is fit for another request; takes ownership. Closes it when the pool
 * holds enough. */
void connection_pool_put(struct connection_pool *pool, struct kept_connection *kept);

/* Sees to it that the pool holds a connection. */
bool connection_pool_prepare(struct connection_pool *pool, const struct deadline *deadline,
                             struct status *status);

/* Closes it and frees. */
void kept_connection_drop(struct kept_connection *kept);

/* Frees it and sends nothing: it is that of the process that this one was forked from. NULL is
 * allowed. */
void kept_connection_abandon(struct kept_connection *kept);

#endif
