/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Some words that threads read and write without waiting for each other, and that are never seen
 * half old and half new: a sequence number is odd while somebody writes, and a reader believes what
 * it found the same number around. A second writer gives up, so does a reader after some tries.
 */
#ifndef QKD_KEYS_RECORD_H
#define QKD_KEYS_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORD_TRIES = 8 };

/* Zeroed: nothing was written yet. */
struct record {
    _Atomic uint64_t sequence;
};

static inline bool record_write(struct record *record, _Atomic uint64_t *words,
                                const uint64_t *values, size_t count)
{
    uint64_t seen = atomic_load(&record->sequence);

    if (seen % 2 != 0 || !atomic_compare_exchange_strong(&record->sequence, &seen, seen + 1))
        return false;
    for (size_t i = 0; i < count; i++)
        atomic_store_explicit(&words[i], values[i], memory_order_release);
    atomic_store(&record->sequence, seen + 2);
    return true;
}

/* False, too, when nothing was written yet. Whoever reads a word of a later writer's also sees that
 * one's odd number afterwards: released there, acquired here. */
static inline bool record_read(const struct record *record, const _Atomic uint64_t *words,
                               uint64_t *values, size_t count)
{
    for (int tries = 0; tries < RECORD_TRIES; tries++) {
        uint64_t before = atomic_load(&record->sequence);

        if (before == 0)
            return false;
        for (size_t i = 0; i < count; i++)
            values[i] = atomic_load_explicit(&words[i], memory_order_acquire);
        if (before % 2 == 0 && atomic_load(&record->sequence) == before)
            return true;
    }
    return false;
}

/* Only where no other thread can see it. */
static inline void record_forget(struct record *record)
{
    atomic_store(&record->sequence, 0);
}

#endif
