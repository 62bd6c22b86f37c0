/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a crash would lose now: open segments, and held keys that do not rest. One item of the shelf
 * says how much that is at most, in whole steps, so that it is seldom written:
 *
 *     bits(u64)
 */
#include "kme/store_parts.h"

#include "base/buf.h"

enum { NOTE_BYTES = 8 };

static const struct key_id note_id = {{0}};

void risk_add_segment(struct store *store, struct segment *segment)
{
    segment->at_risk = true;
    store->blocks_at_risk += segment->count;
}

void risk_drop_segment(struct store *store, struct segment *segment)
{
    segment->at_risk = false;
    store->blocks_at_risk -= segment->count;
}

static uint64_t steps_at_risk(const struct store *store)
{
    uint64_t bits = (uint64_t)store->blocks_at_risk * BLOCK_BITS + store->keys_at_risk_bits;

    return (bits + STORE_RISK_STEP_BITS - 1) / STORE_RISK_STEP_BITS * STORE_RISK_STEP_BITS;
}

static bool write_note(struct store *store, uint64_t bits)
{
    struct buf buf;
    uint64_t ticket = 0;

    buf_init(&buf, NOTE_BYTES);
    buf_put_u64(&buf, bits);
    if (bits == 0)
        ticket = shelf_take(store->shelf, SHELF_OPENED, store->peer, &note_id);
    else if (!buf.failed)
        ticket = shelf_put(store->shelf, SHELF_OPENED, store->peer, &note_id, buf.data, buf.length);
    buf_free(&buf);
    if (ticket == 0)
        return false;
    store->noted_risk_bits = bits;
    store->noted_risk_is_old = false;
    return true;
}

bool risk_note(struct store *store)
{
    uint64_t bits = steps_at_risk(store);

    if (store->shelf == NULL || (bits <= store->noted_risk_bits && !store->noted_risk_is_old))
        return true;
    return write_note(store, bits);
}

void risk_forget_note(struct store *store)
{
    store->noted_risk_is_old = true;
}

void risk_tick(struct store *store)
{
    uint64_t bits = steps_at_risk(store);

    if (bits != store->noted_risk_bits || store->noted_risk_is_old)
        write_note(store, bits);
}

void risk_end(struct store *store)
{
    write_note(store, 0);
}

static bool load_note(void *arg, const char *peer, const struct key_id *id, const uint8_t *octets,
                      size_t length)
{
    uint64_t *bits = arg;
    struct reader reader;

    (void)peer;
    (void)id;
    reader_init(&reader, octets, length);
    *bits += reader_u64(&reader);
    return true;
}

bool risk_load(struct store *store, uint64_t *bits, struct status *status)
{
    *bits = 0;
    if (!shelf_load(store->shelf, SHELF_OPENED, store->peer, load_note, bits, status))
        return false;
    store->noted_risk_bits = *bits;
    store->noted_risk_is_old = *bits > 0;
    return true;
}
