/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/guard.h"

#include <openssl/crypto.h>

#include "keys/process_owner.h"

static const int64_t NS_PER_S = 1000000000;
static const int64_t LONG_AGO_NS = INT64_MIN / 2;

/* A leaky bucket by the generic cell rate algorithm: all its state is the time at which it will
 * have leaked dry. A turn may be had as long as that is at most `room_ns` ahead. */
struct bucket {
    _Atomic int64_t dry_at_ns;
    int64_t interval_ns; /* what one turn adds */
    int64_t room_ns;
};

struct guard {
    struct process_owner owner;
    struct bucket turns;
    struct bucket waste; /* reservations while too many led nowhere */
    struct bucket retries;
    atomic_int wasted; /* in a row */
};

static void bucket_init(struct bucket *bucket, int per_second, int burst)
{
    atomic_init(&bucket->dry_at_ns, LONG_AGO_NS);
    bucket->interval_ns = (NS_PER_S + per_second - 1) / per_second;
    bucket->room_ns = bucket->interval_ns * (burst - 1);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* How long until a turn can be had from a bucket that will be dry at `dry_at_ns`. */
static int64_t wait_of(const struct bucket *bucket, int64_t dry_at_ns, int64_t now_ns)
{
    return later(0, later(dry_at_ns, now_ns) - bucket->room_ns - now_ns);
}

static int64_t bucket_turn(struct bucket *bucket, int64_t now_ns, int64_t max_wait_ns)
{
    int64_t seen_ns = atomic_load(&bucket->dry_at_ns), wait_ns;

    do {
        wait_ns = wait_of(bucket, seen_ns, now_ns);
        if (wait_ns > max_wait_ns)
            return -1;
    } while (!atomic_compare_exchange_weak(&bucket->dry_at_ns, &seen_ns,
                                           later(seen_ns, now_ns) + bucket->interval_ns));
    return wait_ns;
}

static void bucket_give_back(struct bucket *bucket)
{
    int64_t seen_ns = atomic_load(&bucket->dry_at_ns);

    do {
        if (seen_ns <= LONG_AGO_NS)
            return; /* no turn was taken in this process */
    } while (
        !atomic_compare_exchange_weak(&bucket->dry_at_ns, &seen_ns, seen_ns - bucket->interval_ns));
}

static void reset(void *state)
{
    struct guard *guard = state;

    atomic_store(&guard->turns.dry_at_ns, LONG_AGO_NS);
    atomic_store(&guard->waste.dry_at_ns, LONG_AGO_NS);
    atomic_store(&guard->retries.dry_at_ns, LONG_AGO_NS);
    atomic_store(&guard->wasted, 0);
}

/* A thread that comes while another makes a child's guard new goes by what it finds: its parent's
 * bucket, or it has one turn too many, once. */
static void own(struct guard *guard)
{
    (void)process_owner_take(&guard->owner, reset, guard);
}

static int within_range(int value)
{
    if (value < 1)
        return 1;
    return value > GUARD_RATE_MAX ? GUARD_RATE_MAX : value;
}

struct guard *guard_new(int per_second, int burst)
{
    struct guard *guard = OPENSSL_zalloc(sizeof(*guard));

    if (guard == NULL)
        return NULL;
    process_owner_init(&guard->owner);
    bucket_init(&guard->turns, within_range(per_second), within_range(burst));
    bucket_init(&guard->waste, GUARD_WASTE_PER_SECOND, 1);
    bucket_init(&guard->retries, 1, GUARD_RETRY_CREDITS);
    atomic_init(&guard->wasted, 0);
    return guard;
}

void guard_free(struct guard *guard)
{
    OPENSSL_free(guard);
}

int64_t guard_turn(struct guard *guard, enum guard_use use, int64_t now_ns, int64_t max_wait_ns)
{
    int64_t wait_ns;

    own(guard);
    wait_ns = bucket_turn(&guard->turns, now_ns, max_wait_ns);
    if (wait_ns < 0 || use != GUARD_RESERVE || atomic_load(&guard->wasted) < GUARD_WASTE_MAX)
        return wait_ns;
    /* Nobody waits to waste one more. */
    if (bucket_turn(&guard->waste, now_ns, 0) == 0)
        return wait_ns;
    bucket_give_back(&guard->turns);
    return -1;
}

void guard_give_back(struct guard *guard)
{
    own(guard);
    bucket_give_back(&guard->turns);
}

void guard_good(struct guard *guard, enum guard_use use)
{
    guard_give_back(guard);
    if (use == GUARD_RESERVE)
        atomic_store(&guard->wasted, 0);
}

void guard_wasted(struct guard *guard)
{
    int seen;

    own(guard);
    seen = atomic_load(&guard->wasted);
    while (seen < GUARD_WASTE_MAX &&
           !atomic_compare_exchange_weak(&guard->wasted, &seen, seen + 1)) {
    }
}

bool guard_may_retry(const struct guard *guard, int64_t now_ns)
{
    return !process_owner_is_us(&guard->owner) ||
           wait_of(&guard->retries, atomic_load(&guard->retries.dry_at_ns), now_ns) == 0;
}

void guard_retry_failed(struct guard *guard, int64_t now_ns)
{
    own(guard);
    /* Nothing is taken where there is no credit: rounds that began together leave no debt. */
    (void)bucket_turn(&guard->retries, now_ns, 0);
}
