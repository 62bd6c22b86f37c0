/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounds what strangers can make us ask of a link: reservations and look-ups that lead to no key
 * that is used. What is used is not counted, so that the bound is none for honest traffic.
 *
 * The bound is per process: N workers together may spend N times as much, and a forked child
 * starts with a full bucket. Without locks; any thread may call anything except guard_free.
 * Nothing here waits: callers are told how long to. Times are those of the monotonic clock.
 */
#ifndef QKD_KEYS_GUARD_H
#define QKD_KEYS_GUARD_H

#include <stdbool.h>
#include <stdint.h>

enum {
    GUARD_RATE_MAX = 1000000,    /* per_second and burst are 1 to this */
    GUARD_WASTE_MAX = 100,       /* own reservations in a row that led nowhere; after them ... */
    GUARD_WASTE_PER_SECOND = 10, /* ... there are no more than these until one is used */
    GUARD_RETRY_CREDITS = 8      /* rounds of retries in vain; one is regained each second */
};

enum guard_use { GUARD_RESERVE, GUARD_CLAIM };

struct guard;

/* Values out of range are taken to the nearest end of it. NULL when out of memory. */
struct guard *guard_new(int per_second, int burst);
void guard_free(struct guard *guard);

/* A turn for one reservation or look-up: how long to wait for it in ns, 0 for not at all. -1 when
 * that would be more than max_wait_ns: nothing is taken and the caller refuses. `burst` turns are
 * there at once, then one each 1/per_second, in the order of asking. After too many reservations
 * that led nowhere the next ones are refused without waiting. */
int64_t guard_turn(struct guard *guard, enum guard_use use, int64_t now_ns, int64_t max_wait_ns);

/* It led to a key that was used: the turn is given back, once for each turn. */
void guard_good(struct guard *guard, enum guard_use use);

/* A turn that another one made needless is given back. */
void guard_give_back(struct guard *guard);

/* Our own reservation led nowhere. */
void guard_wasted(struct guard *guard);

/* Whether an ID that the key server does not know (yet) may be asked for again. Anyone can name
 * such IDs, and each round of retries keeps a worker busy. */
bool guard_may_retry(const struct guard *guard, int64_t now_ns);

/* A round of retries ended without a key: costs a credit; there are never fewer than none. */
void guard_retry_failed(struct guard *guard, int64_t now_ns);

#endif
