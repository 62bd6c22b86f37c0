/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the store is on the shelf. A segment there:
 *
 *     format(u8) owner(u8) count(u32) { block ID(16) octets(32) } ...
 *
 * and the marker of one that was opened: how many bits a crash may lose of it (u64).
 */
#include "kme/store_parts.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/buf.h"

enum {
    FORMAT = 1,
    SEGMENT_MAX_BYTES = 6 + SEGMENT_BLOCKS_MAX * (KEY_ID_BYTES + BLOCK_BYTES),
    MARKER_BYTES = 8
};

/* Keys that nobody claimed so soon are put to rest. A marker stays until its keys are. */
#define REST_AFTER_NS (2 * NS_PER_S)
#define MARKER_LINGERS_NS (5 * NS_PER_S)

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
}

void rest_mark(struct store *store, const struct key_id *id, uint64_t bits)
{
    uint8_t octets[MARKER_BYTES];

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)(bits >> (8 * (sizeof(octets) - 1 - i)));
    shelf_put(store->shelf, SHELF_OPENED, store->peer, id, octets, sizeof(octets));
}

static struct spent_item *spent_new(enum shelf_kind kind, const struct key_id *id)
{
    struct spent_item *item = OPENSSL_zalloc(sizeof(*item));

    if (item == NULL)
        return NULL; /* a crash is then said to have lost more than it did */
    item->kind = kind;
    item->id = *id;
    return item;
}

void rest_erase_later(struct store *store, enum shelf_kind kind, const struct key_id *id)
{
    struct spent_item *item = spent_new(kind, id);

    if (item != NULL)
        STAILQ_INSERT_TAIL(&store->spent, item, next);
}

/* With the next tick. */
static void erase_soon(struct store *store, enum shelf_kind kind, const struct key_id *id)
{
    struct spent_item *item = spent_new(kind, id);

    if (item == NULL)
        return;
    item->since_ns = INT64_MIN;
    STAILQ_INSERT_HEAD(&store->spent, item, next);
}

static void erase_first(struct store *store)
{
    struct spent_item *item = STAILQ_FIRST(&store->spent);

    shelf_take(store->shelf, item->kind, store->peer, &item->id);
    STAILQ_REMOVE_HEAD(&store->spent, next);
    OPENSSL_free(item);
}

static void erase_spent(struct store *store, int64_t now_ns)
{
    struct spent_item *item;

    for (item = STAILQ_FIRST(&store->spent); item != NULL; item = STAILQ_NEXT(item, next))
        if (item->since_ns == 0)
            item->since_ns = now_ns;
    while ((item = STAILQ_FIRST(&store->spent)) != NULL &&
           item->since_ns <= now_ns - MARKER_LINGERS_NS)
        erase_first(store);
}

void store_tick(struct store *store, int64_t now_ns)
{
    if (store->shelf == NULL)
        return;
    rest_keys(store, now_ns - REST_AFTER_NS, now_ns);
    erase_spent(store, now_ns);
}

static void rest_used(struct store *store, struct segment *segment)
{
    if (segment->shelved && segment->take_ticket == 0)
        return;
    shelf_begin(store->shelf);
    put_segment(store, segment);
    shelf_take(store->shelf, SHELF_OPENED, store->peer, &segment->id);
    shelf_end(store->shelf);
}

void store_rest_all(struct store *store, int64_t now_ns)
{
    struct segment *segment;

    if (store->shelf == NULL)
        return;
    for (int owner = 0; owner < BLOCK_OWNERS; owner++)
        for (int state = 0; state < SEGMENT_STATES; state++)
            for (segment = TAILQ_FIRST(&store->lists[owner][state]); segment != NULL;
                 segment = TAILQ_NEXT(segment, next))
                rest_used(store, segment);
    rest_opening_keys(store);
    rest_keys(store, INT64_MAX, now_ns);
    while (!STAILQ_EMPTY(&store->spent))
        erase_first(store);
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

static bool load_marker(void *arg, const char *peer, const struct key_id *id, const uint8_t *octets,
                        size_t length)
{
    struct loading *loading = arg;
    struct reader reader;

    (void)peer;
    reader_init(&reader, octets, length);
    loading->loaded->lost_bits += reader_u64(&reader);
    erase_soon(loading->store, SHELF_OPENED, id); /* a crash is counted once */
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
           shelf_load(store->shelf, SHELF_OPENED, store->peer, load_marker, &loading, status);
}
