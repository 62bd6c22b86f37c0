/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/store_parts.h"

#include <string.h>

#include <openssl/crypto.h>

size_t store_blocks_for(uint32_t size_bits)
{
    return ((size_t)size_bits + BLOCK_BITS - 1) / BLOCK_BITS;
}

struct store *store_new(struct shelf *shelf, const char *peer_kme_id)
{
    struct store *store = OPENSSL_zalloc(sizeof(*store));

    if (store == NULL)
        return NULL;
    store->shelf = shelf;
    memcpy(store->peer, peer_kme_id, strlen(peer_kme_id) + 1);
    for (int owner = 0; owner < BLOCK_OWNERS; owner++)
        for (int state = 0; state < SEGMENT_STATES; state++)
            TAILQ_INIT(&store->lists[owner][state]);
    for (int i = 0; i < KEY_LISTS; i++)
        TAILQ_INIT(&store->key_lists[i]);
    TAILQ_INIT(&store->batches_opening);
    STAILQ_INIT(&store->spent);
    return store;
}

void store_free(struct store *store)
{
    struct segment *segment;
    struct key_entry *key;
    struct spent_item *item;

    if (store == NULL)
        return;
    store->shelf = NULL; /* what is there stays */
    for (int owner = 0; owner < BLOCK_OWNERS; owner++)
        for (int state = 0; state < SEGMENT_STATES; state++)
            while ((segment = TAILQ_FIRST(&store->lists[owner][state])) != NULL)
                segment_drop(store, segment);
    for (int i = 0; i < KEY_LISTS; i++)
        while ((key = TAILQ_FIRST(&store->key_lists[i])) != NULL)
            key_drop(store, key);
    while ((item = STAILQ_FIRST(&store->spent)) != NULL) {
        STAILQ_REMOVE_HEAD(&store->spent, next);
        OPENSSL_free(item);
    }
    id_table_free(&store->blocks);
    id_table_free(&store->segments);
    id_table_free(&store->keys);
    OPENSSL_free(store);
}

size_t store_blocks(const struct store *store, enum block_owner owner, enum segment_state state)
{
    return store->counts[owner][state];
}

size_t store_unassigned(const struct store *store)
{
    size_t count = 0;

    for (int owner = 0; owner < BLOCK_OWNERS; owner++)
        for (int state = 0; state < SEGMENT_STATES; state++)
            count += store->counts[owner][state];
    return count;
}

size_t store_usable(const struct store *store, enum block_owner owner)
{
    return store->counts[owner][SEGMENT_OPEN];
}

size_t store_at_hand(const struct store *store, enum block_owner owner)
{
    const size_t *counts = store->counts[owner];

    return counts[SEGMENT_OPEN] + counts[SEGMENT_OPENING] + counts[SEGMENT_PENDING_OPEN];
}

size_t store_available(const struct store *store, enum block_owner owner)
{
    const size_t *counts = store->counts[owner];

    return counts[SEGMENT_OPEN] + counts[SEGMENT_OPENING] + counts[SEGMENT_RESTING];
}

bool store_settled(struct store *store, uint64_t ticket,
                   void (*ready)(void *arg, const struct key_id *key_id), void *arg)
{
    struct segment *segment, *next;
    size_t usable = store->counts[BLOCK_OURS][SEGMENT_OPEN];

    if (ticket > store->settled)
        store->settled = ticket;
    for (int owner = 0; owner < BLOCK_OWNERS; owner++) {
        for (segment = TAILQ_FIRST(&store->lists[owner][SEGMENT_OPENING]); segment != NULL;
             segment = next) {
            next = TAILQ_NEXT(segment, next);
            segment_settle(store, segment);
        }
    }
    batch_settle(store, ready, arg);
    return store->counts[BLOCK_OURS][SEGMENT_OPEN] > usable;
}
