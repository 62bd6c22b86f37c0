/* SPDX-License-Identifier: Apache-2.0 */
/* Reconciliation: what the other end lacks has no twin, and goes. */
#include "kme/store_parts.h"

typedef void (*visitor)(struct store *store, struct segment *segment, void *arg);

/* A visitor may drop its segment. */
static void visit_all(struct store *store, visitor visit, void *arg)
{
    struct segment *segment, *next;

    for (int owner = 0; owner < BLOCK_OWNERS; owner++) {
        for (int state = 0; state < SEGMENT_STATES; state++) {
            for (segment = TAILQ_FIRST(&store->lists[owner][state]); segment != NULL;
                 segment = next) {
                next = TAILQ_NEXT(segment, next);
                visit(store, segment, arg);
            }
        }
    }
}

struct teller {
    void (*each)(void *arg, const struct key_id *block_id);
    void *arg;
};

static void tell_blocks(struct store *store, struct segment *segment, void *arg)
{
    const struct teller *teller = arg;
    const struct block_entry *block = TAILQ_FIRST(&segment->blocks);

    (void)store;
    for (; block != NULL; block = TAILQ_NEXT(block, next))
        teller->each(teller->arg, &block->id);
}

void store_inventory(struct store *store, void (*each)(void *arg, const struct key_id *block_id),
                     void *arg)
{
    struct teller teller = {each, arg};

    visit_all(store, tell_blocks, &teller);
}

static void unlist(struct store *store, struct segment *segment, void *arg)
{
    (void)store;
    (void)arg;
    segment->listed_assigned = false;
}

void store_list_begin(struct store *store)
{
    store->inventories++;
    visit_all(store, unlist, NULL);
}

void store_list(struct store *store, const struct key_id *block_id, bool assigned)
{
    struct block_entry *block = id_table_get(&store->blocks, block_id);

    if (block == NULL)
        return;
    block->listed = store->inventories;
    if (assigned && block->segment->owner == BLOCK_PEERS)
        block->segment->listed_assigned = true;
}

/* The segment may be gone afterwards. */
static void drop_unlisted(struct store *store, struct segment *segment, void *arg)
{
    struct block_entry *block = TAILQ_FIRST(&segment->blocks), *next;
    size_t *dropped = arg;

    for (; block != NULL; block = next) {
        next = TAILQ_NEXT(block, next);
        if (block->listed == store->inventories)
            continue;
        block_drop(store, block);
        ++*dropped;
    }
}

/* The last one first, as each goes to the front. */
static void close_ours(struct store *store, enum segment_state state)
{
    struct segment_queue *list = &store->lists[BLOCK_OURS][state];
    struct segment *segment;

    while ((segment = TAILQ_LAST(list, segment_queue)) != NULL) {
        segment->peer_open = false;
        segment_move(store, segment, SEGMENT_RESTING);
    }
}

size_t store_reconcile(struct store *store, size_t *confirmed_blocks)
{
    size_t dropped = 0;

    visit_all(store, drop_unlisted, &dropped);
    *confirmed_blocks = store_confirm(store, UINT64_MAX);
    close_ours(store, SEGMENT_OPENING);
    close_ours(store, SEGMENT_OPEN);
    return dropped;
}

bool store_open_listed(struct store *store)
{
    static const enum segment_state closed[] = {SEGMENT_RESTING, SEGMENT_OPENING};
    struct segment *segment, *next;
    bool all = true;

    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        for (segment = TAILQ_FIRST(&store->lists[BLOCK_PEERS][closed[i]]); segment != NULL;
             segment = next) {
            next = TAILQ_NEXT(segment, next);
            if (segment->listed_assigned && !store_open_peers(store, &segment->id, 1))
                all = false;
        }
    }
    return all;
}
