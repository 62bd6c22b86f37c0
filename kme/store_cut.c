/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting keys and chunks from open blocks. */
#include "kme/store_parts.h"

#include <string.h>

/* The blocks must be there. They are gone afterwards, whatever the result. */
static struct secret *cut_key(struct store *store, size_t size_bytes, const struct key_id *blocks,
                              size_t block_count)
{
    struct secret *key = secret_new(size_bytes);
    size_t done = 0;

    for (size_t i = 0; i < block_count; i++) {
        struct block_entry *entry = id_table_get(&store->blocks, &blocks[i]);

        if (key != NULL && done < key->size_bytes) {
            size_t left = key->size_bytes - done;
            size_t part = left < BLOCK_BYTES ? left : BLOCK_BYTES;

            memcpy(key->bytes + done, entry->octets, part);
            done += part;
        }
        block_drop(store, entry);
    }
    return key;
}

static void name_oldest_blocks(const struct store *store, struct key_id *blocks, size_t count)
{
    const struct segment *segment = TAILQ_FIRST(&store->lists[BLOCK_OURS][SEGMENT_OPEN]);
    const struct block_entry *entry = segment != NULL ? TAILQ_FIRST(&segment->blocks) : NULL;

    for (size_t i = 0; i < count; i++) {
        blocks[i] = entry->id;
        entry = TAILQ_NEXT(entry, next);
        if (entry == NULL && (segment = TAILQ_NEXT(segment, next)) != NULL)
            entry = TAILQ_FIRST(&segment->blocks);
    }
}

bool store_reserve(struct store *store, struct assignment *assignment, int64_t now_ns,
                   struct secret **key, struct status *status)
{
    size_t count = store_blocks_for(assignment->size_bits);
    size_t usable = store_usable(store, BLOCK_OURS);
    struct key_entry *entry;

    if (count == 0 || count > KEY_MAX_BLOCKS || count > usable)
        return status_fail(status, OUTCOME_EXHAUSTED,
                           "a key of %u bits was asked for and %zu bits are available",
                           (unsigned)assignment->size_bits, usable * BLOCK_BITS);
    assignment->block_count = count;
    name_oldest_blocks(store, assignment->blocks, count);
    assignment->key_id = assignment->blocks[0];
    entry = key_of(assignment, LIST_REMEMBERED, now_ns);
    if (entry == NULL || !key_keep(store, entry))
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a reservation");
    key_displace(store, LIST_REMEMBERED);
    *key = cut_key(store, assignment->size_bits / 8, assignment->blocks, count);
    if (*key == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a key of %u bits",
                           (unsigned)assignment->size_bits);
    return true;
}

/* The peer may cut from it. What is pending here is at the peer, if the peer names it. */
static bool is_open_to_peer(const struct block_entry *entry)
{
    return entry->segment->owner == BLOCK_PEERS &&
           (entry->segment->state == SEGMENT_OPEN || entry->segment->state == SEGMENT_PENDING_OPEN);
}

/* Whether the peer may cut from every block and none is named twice. */
static bool blocks_are_there(const struct store *store, const struct key_id *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct block_entry *entry = id_table_get(&store->blocks, &blocks[i]);

        if (entry == NULL || !is_open_to_peer(entry))
            return false;
        for (size_t j = 0; j < i; j++)
            if (key_id_equal(&blocks[i], &blocks[j]))
                return false;
    }
    return true;
}

bool store_assign(struct store *store, const struct assignment *assignment, int64_t now_ns,
                  uint64_t *displaced_bits, struct status *status)
{
    struct key_entry *entry;

    *displaced_bits = 0;
    if (assignment->size_bits == 0 ||
        assignment->block_count != store_blocks_for(assignment->size_bits) ||
        !blocks_are_there(store, assignment->blocks, assignment->block_count) ||
        !key_id_equal(&assignment->key_id, &assignment->blocks[0]))
        return status_fail(status, OUTCOME_PEER,
                           "the peer assigned blocks that are not its own open ones");
    entry = key_of(assignment, LIST_HOT, now_ns);
    if (entry == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for an assigned key");
    entry->key =
        cut_key(store, assignment->size_bits / 8, assignment->blocks, assignment->block_count);
    if (entry->key == NULL) {
        key_free(entry);
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for an assigned key");
    }
    if (!key_keep(store, entry))
        return status_fail(status, OUTCOME_INTERNAL, "cannot keep an assigned key");
    *displaced_bits = key_displace(store, LIST_HOT);
    return true;
}

bool store_cut_ours(struct store *store, struct cut *cut, struct secret **key,
                    struct status *status)
{
    size_t count = store_blocks_for(cut->size_bytes * 8);
    size_t usable = store_usable(store, BLOCK_OURS);

    if (count == 0 || count > KEY_MAX_BLOCKS || count > usable)
        return status_fail(status, OUTCOME_EXHAUSTED,
                           "a chunk of %u octets was asked for and %zu bits are available",
                           (unsigned)cut->size_bytes, usable * BLOCK_BITS);
    cut->block_count = count;
    name_oldest_blocks(store, cut->blocks, count);
    *key = cut_key(store, cut->size_bytes, cut->blocks, count);
    return *key != NULL || status_fail(status, OUTCOME_INTERNAL, "out of memory for a chunk");
}

bool store_cut_peers(struct store *store, const struct cut *cut, struct secret **key,
                     struct status *status)
{
    if (cut->size_bytes == 0 || cut->block_count != store_blocks_for(cut->size_bytes * 8) ||
        !blocks_are_there(store, cut->blocks, cut->block_count))
        return status_fail(status, OUTCOME_PEER,
                           "the peer cut a chunk from blocks that are not its own open ones");
    *key = cut_key(store, cut->size_bytes, cut->blocks, cut->block_count);
    return *key != NULL || status_fail(status, OUTCOME_INTERNAL, "out of memory for a chunk");
}

void store_burn_peers(struct store *store, const struct key_id *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct block_entry *entry = id_table_get(&store->blocks, &blocks[i]);

        if (entry != NULL && entry->segment->owner == BLOCK_PEERS)
            block_drop(store, entry);
    }
}
