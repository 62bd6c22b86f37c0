/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservations that were made ahead of their use. Each comes out once, in the process that put it
 * in: a forked child finds the pool empty and may fill it with its own.
 *
 * Without locks, and nothing here waits: any thread may call anything except key_pool_free.
 * Octets of keys are in memory of their own, which neither a core dump nor swap nor a forked
 * child gets (as far as the system allows). Times are nanoseconds of the monotonic clock.
 */
#ifndef QKD_KEYS_KEY_POOL_H
#define QKD_KEYS_KEY_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "keys/key_ref.h"

enum { KEY_POOL_MAX = 1024 };

struct key_pool;

/* What is kept of one reservation. */
struct ahead_key {
    struct key_ref ref;
    int member; /* index of the key server that it was made with */
    int64_t reserved_ns;
    struct secret *key; /* owned, at most SOURCE_KEY_BYTES; NULL where it is read when collected */
};

/* Holds 1 to KEY_POOL_MAX reservations, none of them for max_age_ns or longer. NULL when out of
 * memory or out of range. */
struct key_pool *key_pool_new(size_t capacity, int64_t max_age_ns);

/* Wipes what is left. Whoever wants to report it or close streams takes it out before. */
void key_pool_free(struct key_pool *pool);

/* How many are in it, of this process; one that is on its way in or out counts. */
size_t key_pool_level(const struct key_pool *pool);

/* Whether one of them may still be used. */
bool key_pool_has_fresh(const struct key_pool *pool, int64_t now_ns);

/* Takes the key over in any case. False, and it is wiped: the pool is full, or the reservation is
 * too old already. */
bool key_pool_put(struct key_pool *pool, struct ahead_key *item, int64_t now_ns);

enum key_pool_find {
    KEY_POOL_FOUND,   /* *item is the caller's, and so is its key */
    KEY_POOL_TOO_OLD, /* *item must not be used; its key is wiped and NULL. Ask again */
    KEY_POOL_EMPTY    /* *item is untouched */
};

/* The oldest, apart from those that other threads put or take meanwhile. One for whose key there
 * is no memory is wiped and passed over. */
enum key_pool_find key_pool_take(struct key_pool *pool, struct ahead_key *item, int64_t now_ns);

/* Of this process. What was put in and is neither used, too old nor left found no memory. */
struct key_pool_counts {
    uint64_t reserved; /* were put in */
    uint64_t used;     /* came out to be used */
    uint64_t too_old;  /* came out too late */
    uint64_t left;     /* are in it now */
};

void key_pool_count(const struct key_pool *pool, struct key_pool_counts *counts);

/* For tests: the memory of the keys. All zero while the pool is empty. */
const uint8_t *key_pool_memory(const struct key_pool *pool, size_t *size_bytes);

#endif
