/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The positions of one key stream at one of its ends: which were delivered, which keys are held,
 * which are awaited. Bounded: with a width of W it keeps the W positions behind the highest
 * delivered one, takes requests for the W beyond, and never more than 2 W behind the newest.
 * What falls out is wiped, and counts as delivered. Pure but for the memory.
 */
#ifndef QKD_KME_WINDOW004_H
#define QKD_KME_WINDOW004_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

enum position_state {
    POSITION_FREE,
    POSITION_AWAITED, /* asked for, not there yet */
    POSITION_HELD,
    POSITION_SPENT /* delivered, expired, or lost */
};

struct position {
    uint32_t index;
    enum position_state state;
    struct secret *key; /* owned; while held */
    bool delivered;     /* once at least, while still held */
    int64_t since_ns;   /* of being held or awaited */
};

struct window004 {
    struct position *slots; /* owned; position i is in slot i modulo slot_count */
    size_t slot_count;      /* 0, or a power of two */
    uint32_t width;
    uint64_t floor;      /* positions below are spent */
    uint64_t delivered;  /* one beyond the highest delivered */
    uint64_t newest;     /* one beyond the highest that is, or was, held or awaited */
    uint64_t wiped_bits; /* of keys that were never delivered; the owner may reset it */
};

/* An empty window; allocates nothing. Width from 1 on. */
void window004_init(struct window004 *window, uint32_t width);

/* Wipes all keys and frees. The window is then empty, and still counts wiped_bits. */
void window004_clear(struct window004 *window);

/* Whether an SAE may ask for this position now. */
bool window004_admits(const struct window004 *window, uint32_t index);

/* Whether the other end may ask for, or announce, this position. */
bool window004_admits_peer(const struct window004 *window, uint32_t index);

/* The state of a position; *position is NULL when it is free, or spent below the floor. */
enum position_state window004_look(const struct window004 *window, uint32_t index,
                                   struct position **position);

/* Marks a free position, or refreshes one, as awaited. False when out of memory, or spent. */
bool window004_await(struct window004 *window, uint32_t index, int64_t now_ns);

/* Puts a key into a position that is free or awaited, and owns it. False when the position is
 * neither, or out of memory; then the key stays the caller's. */
bool window004_hold(struct window004 *window, uint32_t index, struct secret *key, int64_t now_ns);

/* Takes the key of a held position out; it is then spent. Owned by the caller. */
struct secret *window004_deliver(struct window004 *window, struct position *position);

/* Counts a held position as delivered and leaves the key there. */
void window004_deliver_and_keep(struct window004 *window, struct position *position);

/* Makes an awaited position free again. */
void window004_give_up(struct window004 *window, uint32_t index);

/* The position will never be: wipes its key if it has one. */
void window004_spend(struct window004 *window, uint32_t index);

/* Wipes the keys held since before then; returns the time since which the oldest left is held,
 * or INT64_MAX. */
int64_t window004_expire(struct window004 *window, int64_t before_ns);

#endif
