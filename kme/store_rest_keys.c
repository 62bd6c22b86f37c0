/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held keys at rest: one item of the shelf for many, so that an SAE which does not claim costs the
 * disk little. All of them are in memory, too. One that is claimed wakes its neighbours: the item
 * is erased, and what is not claimed then is put to rest again. An item:
 *
 *     format(u8) count(u32) { key ID(16) expires(u64, ms since 1970)
 *                             initiator(u8 length, text) responders(u8 count, as the initiator)
 *                             left(u32, bit i: responder i has not had it)
 *                             size(u32, octets) key } ...
 */
#include "kme/store_parts.h"

#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "base/buf.h"

enum {
    FORMAT = 1,
    BATCH_KEYS_MAX = 64,
    BATCH_FULL_BYTES = 65536, /* then no further key is added */
    NS_PER_MS = 1000000
};

static int64_t wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

static void put_name(struct buf *buf, const char *name)
{
    size_t length = strlen(name);

    buf_put_u8(buf, (uint8_t)length);
    buf_put(buf, name, length);
}

static void put_responders(struct buf *buf, const struct key_entry *entry)
{
    uint8_t count = 0;

    for (size_t at = 0; at < entry->responders_bytes; at += strlen(entry->responders + at) + 1)
        count++;
    buf_put_u8(buf, count);
    for (size_t at = 0; at < entry->responders_bytes; at += strlen(entry->responders + at) + 1)
        put_name(buf, entry->responders + at);
}

static void put_key(struct buf *buf, const struct key_entry *entry, int64_t now_ns)
{
    buf_put(buf, entry->id.octets, KEY_ID_BYTES);
    buf_put_u64(buf, (uint64_t)(wall_ms() + (entry->expires_ns - now_ns) / NS_PER_MS));
    put_name(buf, entry->initiator);
    put_responders(buf, entry);
    buf_put_u32(buf, entry->left);
    buf_put_u32(buf, (uint32_t)entry->key->size_bytes);
    buf_put(buf, entry->key->bytes, entry->key->size_bytes);
}

/* The oldest hot keys held since before then, encoded. Returns how many. */
static size_t put_oldest(struct store *store, struct buf *buf, int64_t before_ns, int64_t now_ns)
{
    const struct key_entry *entry = TAILQ_FIRST(&store->key_lists[LIST_HOT]);
    size_t count = 0, limit = 0;

    for (; entry != NULL && limit < BATCH_KEYS_MAX && entry->since_ns <= before_ns;
         entry = TAILQ_NEXT(entry, next))
        limit++;
    buf_put_u8(buf, FORMAT);
    buf_put_u32(buf, (uint32_t)limit);
    entry = TAILQ_FIRST(&store->key_lists[LIST_HOT]);
    for (; count < limit && buf->length < BATCH_FULL_BYTES; count++) {
        put_key(buf, entry, now_ns);
        entry = TAILQ_NEXT(entry, next);
    }
    if (!buf->failed)
        buf->data[4] = (uint8_t)count; /* BATCH_KEYS_MAX is less than 256 */
    return buf->failed ? 0 : count;
}

static void keep_batch(struct store *store, struct key_batch *batch, size_t count)
{
    batch->id = TAILQ_FIRST(&store->key_lists[LIST_HOT])->id;
    batch->count = count;
    TAILQ_INIT(&batch->keys);
    for (size_t i = 0; i < count; i++) {
        struct key_entry *entry = TAILQ_FIRST(&store->key_lists[LIST_HOT]);

        entry->batch = batch;
        TAILQ_INSERT_TAIL(&batch->keys, entry, next_in_batch);
        key_move(store, entry, LIST_RESTING, false);
    }
}

static bool rest_some(struct store *store, int64_t before_ns, int64_t now_ns)
{
    struct key_batch *batch = OPENSSL_zalloc(sizeof(*batch));
    struct buf buf;
    size_t count;
    bool done;

    if (batch == NULL)
        return false;
    buf_init(&buf, SHELF_OCTETS_MAX);
    count = put_oldest(store, &buf, before_ns, now_ns);
    done = count > 0 &&
           shelf_put(store->shelf, SHELF_KEY, store->peer,
                     &TAILQ_FIRST(&store->key_lists[LIST_HOT])->id, buf.data, buf.length) != 0;
    buf_free(&buf);
    if (done)
        keep_batch(store, batch, count);
    else
        OPENSSL_free(batch);
    return done;
}

void rest_keys(struct store *store, int64_t before_ns, int64_t now_ns)
{
    const struct key_entry *oldest;

    while ((oldest = TAILQ_FIRST(&store->key_lists[LIST_HOT])) != NULL &&
           oldest->since_ns <= before_ns && rest_some(store, before_ns, now_ns))
        continue;
}

static uint64_t bits_of(const struct key_batch *batch)
{
    const struct key_entry *entry = TAILQ_FIRST(&batch->keys);
    uint64_t bits = 0;

    for (; entry != NULL; entry = TAILQ_NEXT(entry, next_in_batch))
        bits += entry->size_bits;
    return bits;
}

void store_wake(struct store *store, const struct key_id *id)
{
    const struct key_entry *entry = id_table_get(&store->keys, id);
    struct key_batch *batch = entry != NULL ? entry->batch : NULL;

    if (batch == NULL || batch->take_ticket != 0)
        return;
    shelf_begin(store->shelf);
    shelf_take(store->shelf, SHELF_KEY, store->peer, &batch->id);
    store->keys_at_risk_bits += bits_of(batch);
    risk_note(store);
    batch->take_ticket = shelf_end(store->shelf);
    if (batch->take_ticket != 0) {
        TAILQ_INSERT_TAIL(&store->batches_opening, batch, next);
        return;
    }
    store->keys_at_risk_bits -= bits_of(batch);
    risk_forget_note(store);
}

static void end_batch(struct store *store, struct key_batch *batch)
{
    if (batch->take_ticket != 0)
        TAILQ_REMOVE(&store->batches_opening, batch, next);
    else if (store->shelf != NULL)
        shelf_take(store->shelf, SHELF_KEY, store->peer, &batch->id);
    OPENSSL_free(batch);
}

void batch_leave(struct store *store, struct key_entry *entry)
{
    struct key_batch *batch = entry->batch;

    TAILQ_REMOVE(&batch->keys, entry, next_in_batch);
    entry->batch = NULL;
    if (batch->take_ticket != 0)
        store->keys_at_risk_bits -= entry->size_bits;
    if (--batch->count == 0)
        end_batch(store, batch);
}

/* Makes the last of its keys hot. The batch ends with its first one. */
static const struct key_entry *warm_last(struct store *store, struct key_batch *batch)
{
    struct key_entry *entry = TAILQ_LAST(&batch->keys, batched_keys);

    batch_leave(store, entry);
    key_move(store, entry, LIST_HOT, true);
    return entry;
}

void batch_settle(struct store *store, void (*ready)(void *arg, const struct key_id *key_id),
                  void *arg)
{
    struct key_batch *batch;

    while ((batch = TAILQ_FIRST(&store->batches_opening)) != NULL &&
           batch->take_ticket <= store->settled) {
        size_t count = batch->count;

        for (size_t i = 0; i < count; i++) {
            const struct key_id id = warm_last(store, batch)->id;

            ready(arg, &id); /* it may be claimed, and wiped, at once */
        }
    }
}

void rest_opening_keys(struct store *store)
{
    struct key_batch *batch;

    while ((batch = TAILQ_FIRST(&store->batches_opening)) != NULL) {
        size_t count = batch->count;

        for (size_t i = 0; i < count; i++)
            warm_last(store, batch);
    }
}

static bool read_name(struct reader *reader, char name[static ETSI014_ID_MAX_CHARS + 1])
{
    size_t length = reader_u8(reader);
    const uint8_t *from = reader_take(reader, length);

    if (from == NULL || length == 0 || memchr(from, 0, length) != NULL)
        return false;
    memcpy(name, from, length);
    name[length] = '\0';
    return true;
}

static bool read_responders(struct reader *reader, struct names *names)
{
    uint8_t count = reader_u8(reader);
    char name[ETSI014_ID_MAX_CHARS + 1];

    memset(names, 0, sizeof(*names));
    for (uint8_t i = 0; i < count; i++)
        if (!read_name(reader, name) || !names_add(names, name))
            return false;
    return count > 0;
}

/* A key of an item; the reader has failed where it cannot be read. NULL then, or when its time is
 * over, or when out of memory. */
static struct key_entry *read_key(struct reader *reader, int64_t now_ns)
{
    struct relayed_key about;
    const uint8_t *id = reader_take(reader, KEY_ID_BYTES), *octets;
    int64_t left_ms = (int64_t)reader_u64(reader) - wall_ms();
    bool good = id != NULL && read_name(reader, about.initiator) &&
                read_responders(reader, &about.responders);
    uint32_t left = reader_u32(reader), size_bytes = reader_u32(reader);
    struct key_entry *entry = NULL;

    octets = reader_take(reader, size_bytes);
    if (!good || octets == NULL || size_bytes == 0 || size_bytes > SECRET_MAX_BYTES) {
        reader->failed = true;
        return NULL;
    }
    memcpy(about.key_id.octets, id, KEY_ID_BYTES);
    about.lifetime_s = 0;
    if (left_ms > 0)
        entry = key_new(&about, LIST_RESTING, now_ns);
    if (entry == NULL)
        return NULL;
    entry->left &= left;
    entry->expires_ns = now_ns + left_ms * NS_PER_MS;
    entry->key = secret_new(size_bytes);
    if (entry->key == NULL) {
        key_free(entry);
        return NULL;
    }
    memcpy(entry->key->bytes, octets, size_bytes);
    return entry;
}

struct loading {
    struct store *store;
    struct store_loaded *loaded;
    int64_t now_ns;
};

static bool load_batch(void *arg, const char *peer, const struct key_id *id, const uint8_t *octets,
                       size_t length)
{
    struct loading *loading = arg;
    struct key_batch *batch = OPENSSL_zalloc(sizeof(*batch));
    struct reader reader;
    uint32_t count;

    (void)peer;
    if (batch == NULL)
        return false;
    batch->id = *id;
    TAILQ_INIT(&batch->keys);
    reader_init(&reader, octets, length);
    count = reader_u8(&reader) == FORMAT ? reader_u32(&reader) : 0;
    for (uint32_t i = 0; i < count && i < BATCH_KEYS_MAX && !reader.failed; i++) {
        struct key_entry *entry = read_key(&reader, loading->now_ns);

        if (entry == NULL || !key_keep(loading->store, entry))
            continue;
        entry->batch = batch;
        TAILQ_INSERT_TAIL(&batch->keys, entry, next_in_batch);
        batch->count++;
        loading->loaded->keys++;
    }
    if (batch->count == 0) {
        rest_erase_later(loading->store, SHELF_KEY, id);
        OPENSSL_free(batch);
    }
    return true;
}

bool rest_load_keys(struct store *store, int64_t now_ns, struct store_loaded *loaded,
                    struct status *status)
{
    struct loading loading = {store, loaded, now_ns};

    return shelf_load(store->shelf, SHELF_KEY, store->peer, load_batch, &loading, status);
}
