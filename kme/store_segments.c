/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: how they come, open and end. */
#include "kme/store_parts.h"

#include <string.h>

#include <openssl/crypto.h>

void segment_enlist(struct store *store, struct segment *segment, enum segment_state state)
{
    segment->state = state;
    store->counts[segment->owner][state] += segment->count;
    TAILQ_INSERT_TAIL(&store->lists[segment->owner][state], segment, next);
}

void segment_move(struct store *store, struct segment *segment, enum segment_state state)
{
    enum segment_state from = segment->state;
    struct segment_queue *to = &store->lists[segment->owner][state];

    store->counts[segment->owner][from] -= segment->count;
    TAILQ_REMOVE(&store->lists[segment->owner][from], segment, next);
    store->counts[segment->owner][state] += segment->count;
    segment->state = state;
    if (state == SEGMENT_RESTING && from >= SEGMENT_OPENING)
        TAILQ_INSERT_HEAD(to, segment, next); /* it is at risk already: it goes first */
    else
        TAILQ_INSERT_TAIL(to, segment, next);
}

bool segment_has_left_shelf(const struct store *store, const struct segment *segment)
{
    return !segment->shelved ||
           (segment->take_ticket != 0 && segment->take_ticket <= store->settled);
}

bool segment_settle(struct store *store, struct segment *segment)
{
    if (segment->state != SEGMENT_OPENING || !segment_has_left_shelf(store, segment) ||
        (segment->owner == BLOCK_OURS && !segment->peer_open))
        return false;
    segment_move(store, segment, SEGMENT_OPEN);
    return true;
}

bool segment_take(struct store *store, struct segment *segment)
{
    if (!segment->shelved || segment->take_ticket != 0)
        return true;
    shelf_begin(store->shelf);
    shelf_take(store->shelf, SHELF_SEGMENT, store->peer, &segment->id);
    risk_add_segment(store, segment);
    risk_note(store);
    segment->take_ticket = shelf_end(store->shelf);
    if (segment->take_ticket != 0)
        return true;
    risk_drop_segment(store, segment);
    risk_forget_note(store);
    return false;
}

/* What is left of a segment without blocks. */
static void end(struct store *store, struct segment *segment)
{
    TAILQ_REMOVE(&store->lists[segment->owner][segment->state], segment, next);
    id_table_take(&store->segments, &segment->id);
    if (store->shelf != NULL && segment->shelved && segment->take_ticket == 0)
        shelf_take(store->shelf, SHELF_SEGMENT, store->peer, &segment->id);
    OPENSSL_free(segment);
}

void block_drop(struct store *store, struct block_entry *block)
{
    struct segment *segment = block->segment;

    TAILQ_REMOVE(&segment->blocks, block, next);
    segment->count--;
    if (segment->at_risk)
        store->blocks_at_risk--;
    store->counts[segment->owner][segment->state]--;
    id_table_take(&store->blocks, &block->id);
    OPENSSL_clear_free(block, sizeof(*block));
    if (segment->count == 0)
        end(store, segment);
}

size_t segment_drop(struct store *store, struct segment *segment)
{
    size_t count = segment->count;

    for (size_t i = 0; i < count; i++)
        block_drop(store, TAILQ_FIRST(&segment->blocks));
    return count;
}

static bool add_block(struct store *store, struct segment *segment, const struct block *block)
{
    struct block_entry *entry;

    if (id_table_get(&store->keys, &block->id) != NULL)
        return false;
    entry = OPENSSL_zalloc(sizeof(*entry));
    if (entry == NULL)
        return false;
    entry->id = block->id;
    entry->segment = segment;
    memcpy(entry->octets, block->octets, BLOCK_BYTES);
    if (!id_table_put(&store->blocks, entry)) {
        OPENSSL_clear_free(entry, sizeof(*entry));
        return false;
    }
    TAILQ_INSERT_TAIL(&segment->blocks, entry, next);
    segment->count++;
    return true;
}

/* Of a segment that is in no list. */
static void undo(struct store *store, struct segment *segment)
{
    struct block_entry *entry;

    while ((entry = TAILQ_FIRST(&segment->blocks)) != NULL) {
        TAILQ_REMOVE(&segment->blocks, entry, next);
        id_table_take(&store->blocks, &entry->id);
        OPENSSL_clear_free(entry, sizeof(*entry));
    }
    OPENSSL_free(segment);
}

struct segment *segment_new(struct store *store, const struct segment_head *head,
                            const struct block *blocks, size_t count)
{
    struct segment *segment = OPENSSL_zalloc(sizeof(*segment));
    bool good = segment != NULL && count > 0 && count <= SEGMENT_BLOCKS_MAX;

    if (segment == NULL)
        return NULL;
    segment->id = head->id;
    segment->owner = head->owner;
    TAILQ_INIT(&segment->blocks);
    for (size_t i = 0; good && i < count; i++)
        good = add_block(store, segment, &blocks[i]);
    if (!good || !id_table_put(&store->segments, segment)) {
        undo(store, segment);
        return NULL;
    }
    return segment;
}

void segment_arrive(struct store *store, struct segment *segment)
{
    if (segment->state == SEGMENT_PENDING_REST) {
        segment_move(store, segment, SEGMENT_RESTING);
        rest_segment(store, segment);
        return;
    }
    segment->peer_open = true;
    segment_move(store, segment, SEGMENT_OPEN);
    risk_add_segment(store, segment);
    risk_note(store);
}

bool store_add(struct store *store, const struct segment_head *head, const struct block *blocks,
               size_t count, uint64_t sequence)
{
    struct segment *segment = segment_new(store, head, blocks, count);

    if (segment == NULL)
        return false;
    segment->sequence = sequence;
    segment_enlist(store, segment, head->rests ? SEGMENT_PENDING_REST : SEGMENT_PENDING_OPEN);
    if (sequence == 0)
        segment_arrive(store, segment);
    return true;
}

static const enum segment_state pending_states[] = {SEGMENT_PENDING_REST, SEGMENT_PENDING_OPEN};
enum { PENDING_STATES = sizeof(pending_states) / sizeof(pending_states[0]) };

size_t store_confirm(struct store *store, uint64_t through)
{
    size_t confirmed = 0;

    for (int owner = 0; owner < BLOCK_OWNERS; owner++) {
        for (int i = 0; i < PENDING_STATES; i++) {
            struct segment_queue *list = &store->lists[owner][pending_states[i]];
            struct segment *segment;

            while ((segment = TAILQ_FIRST(list)) != NULL && segment->sequence <= through) {
                confirmed += segment->count;
                segment_arrive(store, segment);
            }
        }
    }
    return confirmed;
}

size_t store_drop_pending(struct store *store)
{
    size_t dropped = 0;

    for (int owner = 0; owner < BLOCK_OWNERS; owner++) {
        for (int i = 0; i < PENDING_STATES; i++) {
            struct segment_queue *list = &store->lists[owner][pending_states[i]];

            while (!TAILQ_EMPTY(list))
                dropped += segment_drop(store, TAILQ_FIRST(list));
        }
    }
    return dropped;
}

size_t store_open_ours(struct store *store, size_t wanted, struct key_id *ids, size_t max)
{
    const size_t *counts = store->counts[BLOCK_OURS];
    struct segment *segment;
    size_t begun = 0;

    while (begun < max && counts[SEGMENT_OPEN] + counts[SEGMENT_OPENING] < wanted &&
           (segment = TAILQ_FIRST(&store->lists[BLOCK_OURS][SEGMENT_RESTING])) != NULL &&
           segment_take(store, segment)) {
        ids[begun++] = segment->id;
        segment_move(store, segment, SEGMENT_OPENING);
    }
    return begun;
}

bool store_opened_by_peer(struct store *store, const struct key_id *ids, size_t count)
{
    bool grew = false;

    for (size_t i = 0; i < count; i++) {
        struct segment *segment = id_table_get(&store->segments, &ids[i]);

        if (segment == NULL || segment->owner != BLOCK_OURS || segment->state != SEGMENT_OPENING)
            continue;
        segment->peer_open = true;
        if (segment_settle(store, segment))
            grew = true;
    }
    return grew;
}

bool store_open_peers(struct store *store, const struct key_id *ids, size_t count)
{
    bool all = true;

    for (size_t i = 0; i < count; i++) {
        struct segment *segment = id_table_get(&store->segments, &ids[i]);

        if (segment == NULL || segment->owner != BLOCK_PEERS)
            continue;
        if (segment->state == SEGMENT_RESTING && segment_take(store, segment)) {
            segment_move(store, segment, SEGMENT_OPENING);
            segment_settle(store, segment);
        }
        if (segment->state != SEGMENT_OPEN)
            all = false;
    }
    return all;
}
