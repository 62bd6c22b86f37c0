/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/connection_pool.h"

#include <stdatomic.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { POOL_PLACES = 16 };

struct idle {
    struct connection *connection;
    pid_t owner;
};

struct connection_pool {
    _Atomic(struct idle *) places[POOL_PLACES];
};

struct connection_pool *connection_pool_new(void)
{
    struct connection_pool *pool = OPENSSL_zalloc(sizeof(*pool));

    for (int i = 0; pool != NULL && i < POOL_PLACES; i++)
        atomic_init(&pool->places[i], NULL);
    return pool;
}

/* Takes what stands in a place out of the pool; NULL when it is empty or not ours. */
static struct connection *take_place(struct connection_pool *pool, int place)
{
    struct idle *idle = atomic_exchange(&pool->places[place], NULL);
    struct connection *connection;

    if (idle == NULL)
        return NULL;
    connection = idle->connection;
    if (idle->owner != getpid()) {
        connection_abandon(connection);
        connection = NULL;
    }
    OPENSSL_free(idle);
    return connection;
}

void connection_pool_free(struct connection_pool *pool)
{
    if (pool == NULL)
        return;
    for (int i = 0; i < POOL_PLACES; i++)
        connection_abandon(take_place(pool, i));
    OPENSSL_free(pool);
}

struct connection *connection_pool_take(struct connection_pool *pool)
{
    for (int i = 0; i < POOL_PLACES; i++) {
        struct connection *connection = take_place(pool, i);

        if (connection == NULL)
            continue;
        if (!connection_is_stale(connection))
            return connection;
        connection_close(connection);
    }
    return NULL;
}

void connection_pool_put(struct connection_pool *pool, struct connection *connection)
{
    struct idle *idle = OPENSSL_zalloc(sizeof(*idle));

    if (idle == NULL) {
        connection_close(connection);
        return;
    }
    idle->connection = connection;
    idle->owner = getpid();
    for (int i = 0; i < POOL_PLACES; i++) {
        struct idle *none = NULL;

        if (atomic_compare_exchange_strong(&pool->places[i], &none, idle))
            return;
    }
    OPENSSL_free(idle);
    connection_close(connection);
}
