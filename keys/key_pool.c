/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/key_pool.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

/* All that changes is a word of a process: its PID, and below it a value that counts as 0 in any
 * other process. So what a fork left half done, and all that it copied, is free in the child.
 * PIDs of Linux have 22 bits at most. */
enum { VALUE_BITS = 42, TRIES_MAX = 4096 };

typedef _Atomic uint64_t process_word;

enum slot_state { SLOT_FREE = 0, SLOT_FILLING, SLOT_FULL, SLOT_TAKING };

struct slot {
    process_word state;
    _Atomic int64_t reserved_ns; /* threads that look for the oldest read it at any time */
    struct key_ref ref;          /* this and the rest belong to who is FILLING or TAKING */
    int member;
};

/* What a forked child must not have. The kernel zeroes it there, which tells a child whose PID is
 * that of the one who filled the slot, generations ago, that this is not a key. */
struct cell {
    uint8_t held; /* 0: nothing; otherwise 1 + octets of the key, 1 for a reservation without */
    uint8_t octets[SOURCE_KEY_BYTES];
};

struct key_pool {
    size_t capacity;
    int64_t max_age_ns;
    process_word level; /* at least the number of slots that are not FREE */
    process_word reserved;
    process_word used;
    process_word too_old;
    struct cell *cells;
    struct slot slots[];
};

static size_t cells_bytes(const struct key_pool *pool)
{
    return pool->capacity * sizeof(pool->cells[0]);
}

static uint64_t word_of(pid_t pid, uint64_t value)
{
    return ((uint64_t)pid << VALUE_BITS) | value;
}

static uint64_t value_in(uint64_t word, pid_t pid)
{
    return word >> VALUE_BITS == (uint64_t)pid ? word & ((UINT64_C(1) << VALUE_BITS) - 1) : 0;
}

static uint64_t value_of(const process_word *word, pid_t pid)
{
    return value_in(atomic_load(word), pid);
}

/* Adds 1 unless the value is `max` already. */
static bool count_up(process_word *word, pid_t pid, uint64_t max)
{
    uint64_t seen = atomic_load(word);

    do {
        if (value_in(seen, pid) >= max)
            return false;
    } while (!atomic_compare_exchange_weak(word, &seen, word_of(pid, value_in(seen, pid) + 1)));
    return true;
}

static void count_down(process_word *word, pid_t pid)
{
    uint64_t seen = atomic_load(word), value;

    do {
        value = value_in(seen, pid);
    } while (!atomic_compare_exchange_weak(word, &seen, word_of(pid, value > 0 ? value - 1 : 0)));
}

/* Each may be refused, by an old kernel or a limit; the pool is of use without. */
static struct cell *cells_new(size_t size_bytes)
{
    void *cells =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (cells == MAP_FAILED)
        return NULL;
    (void)madvise(cells, size_bytes, MADV_DONTDUMP);
    (void)madvise(cells, size_bytes, MADV_WIPEONFORK);
    return cells;
}

struct key_pool *key_pool_new(size_t capacity, int64_t max_age_ns)
{
    struct key_pool *pool;

    if (capacity == 0 || capacity > KEY_POOL_MAX)
        return NULL;
    pool = OPENSSL_zalloc(sizeof(*pool) + capacity * sizeof(pool->slots[0]));
    if (pool == NULL)
        return NULL;
    pool->capacity = capacity;
    pool->max_age_ns = max_age_ns;
    pool->cells = cells_new(cells_bytes(pool));
    if (pool->cells == NULL) {
        OPENSSL_free(pool);
        return NULL;
    }
    return pool;
}

void key_pool_free(struct key_pool *pool)
{
    if (pool == NULL)
        return;
    OPENSSL_cleanse(pool->cells, cells_bytes(pool));
    munmap(pool->cells, cells_bytes(pool));
    OPENSSL_free(pool);
}

size_t key_pool_level(const struct key_pool *pool)
{
    return (size_t)value_of(&pool->level, getpid());
}

static bool is_too_old(const struct key_pool *pool, int64_t reserved_ns, int64_t now_ns)
{
    return now_ns - reserved_ns >= pool->max_age_ns;
}

bool key_pool_has_fresh(const struct key_pool *pool, int64_t now_ns)
{
    pid_t pid = getpid();
    size_t count = value_of(&pool->level, pid) > 0 ? pool->capacity : 0;

    for (size_t i = 0; i < count; i++) {
        const struct slot *slot = &pool->slots[i];

        if (value_of(&slot->state, pid) == SLOT_FULL &&
            !is_too_old(pool, atomic_load(&slot->reserved_ns), now_ns))
            return true;
    }
    return false;
}

/* A slot to fill. Whoever has been counted in `level` finds one: there are as many slots. The
 * limit is for threads that keep getting in each other's way. */
static struct slot *claim_free_slot(struct key_pool *pool, pid_t pid)
{
    for (size_t tries = 0; tries < TRIES_MAX; tries++) {
        struct slot *slot = &pool->slots[tries % pool->capacity];
        uint64_t seen = atomic_load(&slot->state);

        if (value_in(seen, pid) == SLOT_FREE &&
            atomic_compare_exchange_strong(&slot->state, &seen, word_of(pid, SLOT_FILLING)))
            return slot;
    }
    return NULL;
}

static struct cell *cell_of(const struct key_pool *pool, const struct slot *slot)
{
    return &pool->cells[slot - pool->slots];
}

static void fill(struct key_pool *pool, struct slot *slot, const struct ahead_key *item)
{
    struct cell *cell = cell_of(pool, slot);
    size_t key_bytes = item->key != NULL ? item->key->size_bytes : 0;

    slot->ref = item->ref;
    slot->member = item->member;
    atomic_store(&slot->reserved_ns, item->reserved_ns);
    if (key_bytes > 0)
        memcpy(cell->octets, item->key->bytes, key_bytes);
    cell->held = (uint8_t)(1 + key_bytes);
}

/* A fork inherits no lock. */
static void lock_in_this_process(const struct key_pool *pool, pid_t pid)
{
    if (atomic_load(&pool->level) >> VALUE_BITS != (uint64_t)pid)
        (void)mlock(pool->cells, cells_bytes(pool));
}

static bool put(struct key_pool *pool, const struct ahead_key *item, int64_t now_ns)
{
    pid_t pid = getpid();
    struct slot *slot;

    lock_in_this_process(pool, pid);
    if (is_too_old(pool, item->reserved_ns, now_ns) ||
        (item->key != NULL && item->key->size_bytes > SOURCE_KEY_BYTES) ||
        !count_up(&pool->level, pid, pool->capacity))
        return false;
    slot = claim_free_slot(pool, pid);
    if (slot == NULL) {
        count_down(&pool->level, pid);
        return false;
    }
    fill(pool, slot, item);
    count_up(&pool->reserved, pid, UINT64_MAX);
    atomic_store(&slot->state, word_of(pid, SLOT_FULL));
    return true;
}

bool key_pool_put(struct key_pool *pool, struct ahead_key *item, int64_t now_ns)
{
    bool ok = put(pool, item, now_ns);

    secret_free(item->key);
    item->key = NULL;
    return ok;
}

static struct slot *find_oldest(struct key_pool *pool, pid_t pid)
{
    struct slot *oldest = NULL;
    int64_t oldest_ns = 0;

    for (size_t i = 0; i < pool->capacity; i++) {
        struct slot *slot = &pool->slots[i];
        int64_t reserved_ns = atomic_load(&slot->reserved_ns);

        if (value_of(&slot->state, pid) != SLOT_FULL ||
            (oldest != NULL && oldest_ns <= reserved_ns))
            continue;
        oldest = slot;
        oldest_ns = reserved_ns;
    }
    return oldest;
}

static struct slot *claim_oldest(struct key_pool *pool, pid_t pid)
{
    for (size_t tries = 0; tries < TRIES_MAX && value_of(&pool->level, pid) > 0; tries++) {
        struct slot *slot = find_oldest(pool, pid);
        uint64_t full = word_of(pid, SLOT_FULL);

        if (slot == NULL)
            return NULL;
        if (atomic_compare_exchange_strong(&slot->state, &full, word_of(pid, SLOT_TAKING)))
            return slot;
    }
    return NULL;
}

/* The level goes down last, so that there is a slot for whoever is counted in it. */
static void release(struct key_pool *pool, struct slot *slot, pid_t pid)
{
    OPENSSL_cleanse(cell_of(pool, slot), sizeof(struct cell));
    atomic_store(&slot->state, word_of(pid, SLOT_FREE));
    count_down(&pool->level, pid);
}

/* Moves the key out of the cell; false when there is no memory for it or no reservation. */
static bool move_key(const struct cell *cell, struct secret **key)
{
    *key = NULL;
    if (cell->held <= 1)
        return cell->held == 1;
    ERR_set_mark();
    *key = secret_new((size_t)cell->held - 1);
    ERR_pop_to_mark(); /* that there was no memory is no failure of the caller's */
    if (*key != NULL)
        memcpy((*key)->bytes, cell->octets, (*key)->size_bytes);
    return *key != NULL;
}

/* Empties a claimed slot. EMPTY: nothing came of it. */
static enum key_pool_find take_out(struct key_pool *pool, struct slot *slot, pid_t pid,
                                   struct ahead_key *item, int64_t now_ns)
{
    const struct cell *cell = cell_of(pool, slot);
    struct ahead_key taken = {.ref = slot->ref, .member = slot->member};
    enum key_pool_find find = KEY_POOL_EMPTY;

    taken.reserved_ns = atomic_load(&slot->reserved_ns);
    if (cell->held != 0 && is_too_old(pool, taken.reserved_ns, now_ns))
        find = KEY_POOL_TOO_OLD;
    else if (move_key(cell, &taken.key))
        find = KEY_POOL_FOUND;
    release(pool, slot, pid);
    if (find != KEY_POOL_EMPTY) {
        count_up(find == KEY_POOL_FOUND ? &pool->used : &pool->too_old, pid, UINT64_MAX);
        *item = taken;
    }
    return find;
}

enum key_pool_find key_pool_take(struct key_pool *pool, struct ahead_key *item, int64_t now_ns)
{
    pid_t pid = getpid();

    for (size_t tries = 0; tries < TRIES_MAX; tries++) {
        struct slot *slot = claim_oldest(pool, pid);
        enum key_pool_find find;

        if (slot == NULL)
            break;
        find = take_out(pool, slot, pid, item, now_ns);
        if (find != KEY_POOL_EMPTY)
            return find;
    }
    return KEY_POOL_EMPTY;
}

void key_pool_count(const struct key_pool *pool, struct key_pool_counts *counts)
{
    pid_t pid = getpid();

    counts->reserved = value_of(&pool->reserved, pid);
    counts->used = value_of(&pool->used, pid);
    counts->too_old = value_of(&pool->too_old, pid);
    counts->left = value_of(&pool->level, pid);
}

const uint8_t *key_pool_memory(const struct key_pool *pool, size_t *size_bytes)
{
    *size_bytes = cells_bytes(pool);
    return (const uint8_t *)pool->cells;
}
