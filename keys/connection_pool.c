/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/connection_pool.h"

#include <stdatomic.h>
#include <unistd.h>

#include <openssl/crypto.h>

/* The head of an HTTP answer, or one ETSI 004 message, and what one read may add. */
enum { POOL_PLACES = 16, INPUT_MAX_BYTES = 81920 };

static const int64_t IDLE_MAX_NS = 600 * INT64_C(1000000000);

struct connection_pool {
    struct endpoint *endpoint;
    const struct log *log;
    _Atomic(struct kept_connection *) places[POOL_PLACES];
};

struct connection_pool *connection_pool_new(struct endpoint *endpoint, const struct log *log)
{
    struct connection_pool *pool = OPENSSL_zalloc(sizeof(*pool));

    if (pool == NULL)
        return NULL;
    pool->endpoint = endpoint;
    pool->log = log;
    for (int i = 0; i < POOL_PLACES; i++)
        atomic_init(&pool->places[i], NULL);
    return pool;
}

static void kept_free(struct kept_connection *kept)
{
    buf_free(&kept->input);
    OPENSSL_free(kept);
}

void kept_connection_drop(struct kept_connection *kept)
{
    connection_close(kept->connection);
    kept_free(kept);
}

void kept_connection_abandon(struct kept_connection *kept)
{
    if (kept == NULL)
        return;
    connection_abandon(kept->connection);
    kept_free(kept);
}

void connection_pool_free(struct connection_pool *pool)
{
    if (pool == NULL)
        return;
    for (int i = 0; i < POOL_PLACES; i++) {
        struct kept_connection *kept = atomic_exchange(&pool->places[i], NULL);

        if (kept != NULL)
            kept_connection_abandon(kept);
    }
    OPENSSL_free(pool);
}

/* The kernel finds out about one that died (net/dial.c), and key servers close idle ones
 * themselves; this bound is for what neither of them sees. */
static bool is_fresh(const struct kept_connection *kept)
{
    return monotonic_ns() - kept->idle_since_ns < IDLE_MAX_NS;
}

/* With unread answers a readable socket says nothing; whoever reads them will notice an end. */
static bool is_alive(struct kept_connection *kept)
{
    return is_fresh(kept) && (kept->unread_answers > 0 || !connection_is_stale(kept->connection));
}

struct kept_connection *connection_pool_take(struct connection_pool *pool)
{
    for (int i = 0; i < POOL_PLACES; i++) {
        struct kept_connection *kept = atomic_exchange(&pool->places[i], NULL);

        if (kept == NULL)
            continue;
        if (kept->owner != getpid())
            kept_connection_abandon(kept);
        else if (is_alive(kept))
            return kept;
        else
            kept_connection_drop(kept);
    }
    return NULL;
}

typedef struct connection *make_fn(struct endpoint *endpoint, const struct deadline *deadline,
                                   struct status *status);

static struct kept_connection *make(struct connection_pool *pool, make_fn *make_connection,
                                    const struct deadline *deadline, struct status *status)
{
    struct kept_connection *kept = OPENSSL_zalloc(sizeof(*kept));

    if (kept == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for a connection");
        return NULL;
    }
    kept->connection = make_connection(pool->endpoint, deadline, status);
    if (kept->connection == NULL) {
        OPENSSL_free(kept);
        return NULL;
    }
    kept->owner = getpid();
    buf_init(&kept->input, INPUT_MAX_BYTES);
    return kept;
}

static void note_made(const struct connection_pool *pool, const struct kept_connection *kept)
{
    const struct endpoint_address *address = endpoint_address(pool->endpoint);

    log_line(pool->log, LOG_LEVEL_DEBUG, "connected to the key server at %s:%s: %s, %s%s",
             address->host, address->port, connection_tls_version(kept->connection),
             connection_group(kept->connection),
             connection_is_resumed(kept->connection) ? ", TLS session resumed" : "");
}

struct kept_connection *connection_pool_open(struct connection_pool *pool,
                                             const struct deadline *deadline, struct status *status)
{
    struct kept_connection *kept = make(pool, connection_open, deadline, status);

    if (kept != NULL)
        note_made(pool, kept);
    return kept;
}

struct kept_connection *connection_pool_begin(struct connection_pool *pool, bool fresh,
                                              const struct deadline *deadline,
                                              struct status *status)
{
    struct kept_connection *kept = fresh ? NULL : connection_pool_take(pool);

    return kept != NULL ? kept : make(pool, connection_begin, deadline, status);
}

bool connection_pool_advance(const struct connection_pool *pool, struct kept_connection *kept,
                             const struct deadline *deadline, struct status *status)
{
    bool was_made = connection_is_made(kept->connection);

    if (!connection_advance(kept->connection, deadline, status))
        return false;
    if (!was_made)
        note_made(pool, kept);
    return true;
}

void connection_pool_put(struct connection_pool *pool, struct kept_connection *kept)
{
    kept->idle_since_ns = monotonic_ns();
    for (int i = 0; i < POOL_PLACES; i++) {
        struct kept_connection *none = NULL;

        if (atomic_compare_exchange_strong(&pool->places[i], &none, kept))
            return;
    }
    kept_connection_drop(kept);
}

bool connection_pool_prepare(struct connection_pool *pool, const struct deadline *deadline,
                             struct status *status)
{
    struct kept_connection *kept = connection_pool_take(pool);

    if (kept == NULL)
        kept = connection_pool_open(pool, deadline, status);
    if (kept == NULL)
        return false;
    connection_pool_put(pool, kept);
    return true;
}
