/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/window004.h"

#include <string.h>

#include <openssl/crypto.h>

enum { FIRST_SLOTS = 2 };

void window004_init(struct window004 *window, uint32_t width)
{
    memset(window, 0, sizeof(*window));
    window->width = width;
}

/* The end of a position's key; the state is the caller's to set. */
static void wipe_key(struct window004 *window, struct position *position)
{
    if (position->key == NULL)
        return;
    if (!position->delivered)
        window->wiped_bits += position->key->size_bytes * 8;
    secret_free(position->key);
    position->key = NULL;
}

static void free_slot(struct window004 *window, struct position *position)
{
    wipe_key(window, position);
    position->state = POSITION_FREE;
}

void window004_clear(struct window004 *window)
{
    for (size_t i = 0; i < window->slot_count; i++)
        free_slot(window, &window->slots[i]);
    OPENSSL_free(window->slots);
    window->slots = NULL;
    window->slot_count = 0;
}

bool window004_admits(const struct window004 *window, uint32_t index)
{
    return index >= window->floor && index < window->delivered + window->width;
}

bool window004_admits_peer(const struct window004 *window, uint32_t index)
{
    return index >= window->floor && index < window->newest + window->width;
}

static struct position *slot_of(const struct window004 *window, uint32_t index)
{
    return &window->slots[index & (window->slot_count - 1)];
}

enum position_state window004_look(const struct window004 *window, uint32_t index,
                                   struct position **position)
{
    struct position *slot = window->slot_count > 0 ? slot_of(window, index) : NULL;

    *position = NULL;
    if (index < window->floor)
        return POSITION_SPENT;
    if (slot == NULL || slot->state == POSITION_FREE || slot->index != index)
        return POSITION_FREE;
    *position = slot;
    return slot->state;
}

static void raise_floor(struct window004 *window, uint64_t floor)
{
    uint64_t last = window->floor + window->slot_count;

    if (floor <= window->floor)
        return;
    if (last > floor)
        last = floor;
    for (uint64_t i = window->floor; i < last; i++) {
        struct position *slot = slot_of(window, (uint32_t)i);

        if (slot->index < floor)
            free_slot(window, slot);
    }
    window->floor = floor;
}

/* No two live positions share a slot: they lie within 2 W, and so does the largest table. */
static bool grow(struct window004 *window)
{
    size_t count = window->slot_count == 0 ? FIRST_SLOTS : window->slot_count * 2;
    struct position *old = window->slots;
    size_t old_count = window->slot_count;

    window->slots = OPENSSL_zalloc(count * sizeof(*old));
    if (window->slots == NULL) {
        window->slots = old;
        return false;
    }
    window->slot_count = count;
    for (size_t i = 0; i < old_count; i++)
        if (old[i].state != POSITION_FREE)
            *slot_of(window, old[i].index) = old[i];
    OPENSSL_free(old);
    return true;
}

/* The slot of a position at or above the floor, made its own. */
static struct position *claim_slot(struct window004 *window, uint32_t index)
{
    uint64_t reach = (uint64_t)window->width * 2;
    struct position *slot;

    if (index >= window->newest)
        window->newest = (uint64_t)index + 1;
    if (window->newest > reach)
        raise_floor(window, window->newest - reach);
    if (index < window->floor)
        return NULL;
    while (window->slot_count == 0 ||
           ((slot = slot_of(window, index))->state != POSITION_FREE && slot->index != index))
        if (!grow(window))
            return NULL;
    if (slot->state == POSITION_FREE)
        *slot = (struct position){.index = index};
    return slot;
}

bool window004_await(struct window004 *window, uint32_t index, int64_t now_ns)
{
    struct position *slot = claim_slot(window, index);

    if (slot == NULL || (slot->state != POSITION_FREE && slot->state != POSITION_AWAITED))
        return false;
    slot->state = POSITION_AWAITED;
    slot->since_ns = now_ns;
    return true;
}

bool window004_hold(struct window004 *window, uint32_t index, struct secret *key, int64_t now_ns)
{
    struct position *slot = claim_slot(window, index);

    if (slot == NULL || (slot->state != POSITION_FREE && slot->state != POSITION_AWAITED))
        return false;
    slot->state = POSITION_HELD;
    slot->key = key;
    slot->since_ns = now_ns;
    return true;
}

void window004_deliver_and_keep(struct window004 *window, struct position *position)
{
    position->delivered = true;
    if (position->index >= window->delivered)
        window->delivered = (uint64_t)position->index + 1;
    if (window->delivered > window->width)
        raise_floor(window, window->delivered - window->width);
}

struct secret *window004_deliver(struct window004 *window, struct position *position)
{
    struct secret *key = position->key;

    position->key = NULL;
    position->state = POSITION_SPENT;
    window004_deliver_and_keep(window, position);
    return key;
}

void window004_give_up(struct window004 *window, uint32_t index)
{
    struct position *position;

    if (window004_look(window, index, &position) == POSITION_AWAITED)
        position->state = POSITION_FREE;
}

void window004_spend(struct window004 *window, uint32_t index)
{
    struct position *slot = claim_slot(window, index);

    if (slot == NULL)
        return;
    wipe_key(window, slot);
    slot->state = POSITION_SPENT;
}

int64_t window004_expire(struct window004 *window, int64_t before_ns)
{
    int64_t oldest = INT64_MAX;

    for (size_t i = 0; i < window->slot_count; i++) {
        struct position *slot = &window->slots[i];

        if (slot->state != POSITION_HELD)
            continue;
        if (slot->since_ns <= before_ns) {
            wipe_key(window, slot);
            slot->state = POSITION_SPENT;
        } else if (slot->since_ns < oldest) {
            oldest = slot->since_ns;
        }
    }
    return oldest;
}
