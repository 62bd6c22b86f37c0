/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the store is on the shelf. A segment there:
 *
 *     format(u8) owner(u8) count(u32) { block ID(16) octets(32) } ...
 */
#include "kme/store_parts.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/buf.h"

enum { FORMAT = 1, SEGMENT_MAX_BYTES = 6 + SEGMENT_BLOCKS_MAX * (KEY_ID_BYTES + BLOCK_BYTES) };

/* Keys that nobody claimed so soon are put to rest. */
#define REST_AFTER_NS (2 * NS_PER_S)

static uint64_t put_segment(struct store *store, const struct segment *segment)
{
    const struct block_entry *block = TAILQ_FIRST(&segment->blocks);
    struct buf buf;
    uint64_t ticket = 0;

    buf_init(&buf, SEGMENT_MAX_BYTES);
    buf_put_u8(&buf, FORMAT);
    buf_put_u8(&buf, (uint8_t)segment->owner);
    buf_put_u32(&buf, (uint32_t)segment->count);
    for (; block != NULL; block = TAILQ_NEXT(block, next)) {
        buf_put(&buf, block->id.octets, KEY_ID_BYTES);
        buf_put(&buf, block->octets, BLOCK_BYTES);
    }
    if (!buf.failed)
        ticket =
            shelf_put(store->shelf, SHELF_SEGMENT, store->peer, &segment->id, buf.data, buf.length);
    buf_free(&buf);
    return ticket;
}

void rest_segment(struct store *store, struct segment *segment)
{
    segment->take_ticket = 0;
    segment->shelved = store->shelf != NULL && put_segment(store, segment) != 0;
    if (!segment->shelved && store->shelf != NULL)
        risk_add_segment(store, segment);
}

void rest_erase_later(struct store *store, enum shelf_kind kind, const struct key_id *id)
{
    struct spent_item *item = OPENSSL_zalloc(sizeof(*item));

    if (item == NULL)
        return; /* the next process finds it again */
    item->kind = kind;
    item->id = *id;
    STAILQ_INSERT_TAIL(&store->spent, item, next);
}

static void erase_spent(struct store *store)
{
    struct spent_item *item;

    while ((item = STAILQ_FIRST(&store->spent)) != NULL) {
        shelf_take(store->shelf, item->kind, store->peer, &item->id);
        STAILQ_REMOVE_HEAD(&store->spent, next);
        OPENSSL_free(item);
    }
}

void store_tick(struct store *store, int64_t now_ns)
{
    if (store->shelf == NULL)
        return;
    rest_keys(store, now_ns - REST_AFTER_NS, now_ns);
    erase_spent(store);
    risk_tick(store);
}

/* False when it is lost. */
static bool rest_used(struct store *store, struct segment *segment)
{
    return (segment->shelved && segment->take_ticket == 0) || put_segment(store, segment) != 0;
}

void store_rest_all(struct store *store, int64_t now_ns)
{
    struct segment *segment;
    bool all = true;

    if (store->shelf == NULL)
        return;
    for (int owner = 0; owner < BLOCK_OWNERS; owner++)
        for (int state = 0; state < SEGMENT_STATES; state++)
            for (segment = TAILQ_FIRST(&store->lists[owner][state]); segment != NULL;
                 segment = TAILQ_NEXT(segment, next))
                all = rest_used(store, segment) && all;
    rest_opening_keys(store);
    rest_keys(store, INT64_MAX, now_ns);
    erase_spent(store);
    if (all && TAILQ_EMPTY(&store->key_lists[LIST_HOT]))
        risk_end(store);
}

struct loading {
    struct store *store;
    struct store_loaded *loaded;
};

static bool read_segment(struct reader *reader, struct segment_head *head, struct block *blocks,
                         size_t *count)
{
    uint8_t format = reader_u8(reader), owner = reader_u8(reader);

    *count = reader_u32(reader);
    if (format != FORMAT || owner >= BLOCK_OWNERS || *count == 0 || *count > SEGMENT_BLOCKS_MAX)
        return false;
    head->owner = (enum block_owner)owner;
    for (size_t i = 0; i < *count; i++) {
        const uint8_t *from = reader_take(reader, KEY_ID_BYTES + BLOCK_BYTES);

        if (from == NULL)
            return false;
        memcpy(blocks[i].id.octets, from, KEY_ID_BYTES);
        memcpy(blocks[i].octets, from + KEY_ID_BYTES, BLOCK_BYTES);
    }
    return reader_done(reader);
}

/* What cannot be read, or is there twice, is left out: it has no twin after the next
 * reconciliation. */
static bool load_segment(void *arg, const char *peer, const struct key_id *id,
                         const uint8_t *octets, size_t length)
{
    struct loading *loading = arg;
    struct segment_head head = {*id, BLOCK_OURS, true};
    struct block blocks[SEGMENT_BLOCKS_MAX];
    struct segment *segment = NULL;
    struct reader reader;
    size_t count = 0;

    (void)peer;
    reader_init(&reader, octets, length);
    if (read_segment(&reader, &head, blocks, &count))
        segment = segment_new(loading->store, &head, blocks, count);
    OPENSSL_cleanse(blocks, sizeof(blocks));
    if (segment != NULL) {
        segment->shelved = true;
        segment_enlist(loading->store, segment, SEGMENT_RESTING);
        loading->loaded->blocks += count;
    } else {
        rest_erase_later(loading->store, SHELF_SEGMENT, id);
    }
    return true;
}

bool store_load(struct store *store, int64_t now_ns, struct store_loaded *loaded,
                struct status *status)
{
    struct loading loading = {store, loaded};

    memset(loaded, 0, sizeof(*loaded));
    if (store->shelf == NULL)
        return true;
    return shelf_load(store->shelf, SHELF_SEGMENT, store->peer, load_segment, &loading, status) &&
           rest_load_keys(store, now_ns, loaded, status) &&
           risk_load(store, &loaded->lost_bits, status);
}
