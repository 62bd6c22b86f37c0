/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A data race for ThreadSanitizer to find: linked into a second module, otherwise the same as
 * qkd.so, in front of connection_pool_take. Proves that a race of ours would be reported.
 */
#include "keys/connection_pool.h"

struct kept_connection *__real_connection_pool_take(struct connection_pool *pool);
struct kept_connection *__wrap_connection_pool_take(struct connection_pool *pool);

static volatile int planted_race;

struct kept_connection *__wrap_connection_pool_take(struct connection_pool *pool)
{
    planted_race++;
    return __real_connection_pool_take(pool);
}
