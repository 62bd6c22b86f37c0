/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/store.h"

#include <string.h>
#include <sys/queue.h>

#include <openssl/crypto.h>

#include "kme/id_table.h"

enum { NS_PER_S = 1000000000 };

/* The lists that a block or a key can be in. */
enum block_list { LIST_PENDING, LIST_USABLE_OURS, LIST_USABLE_PEERS, BLOCK_LISTS };
enum key_list { LIST_HELD, LIST_REMEMBERED, KEY_LISTS };

struct block_entry {
    struct key_id id; /* first: see id_table.h */
    struct block block;
    enum block_list list;
    uint64_t sequence; /* while pending */
    TAILQ_ENTRY(block_entry) next;
};

struct key_entry {
    struct key_id id; /* first: see id_table.h */
    enum key_list list;
    struct secret *key; /* NULL when only remembered: the initiator has it */
    int64_t expires_ns;
    TAILQ_ENTRY(key_entry) next;
    uint32_t left;          /* bit i: responder i has not had it */
    const char *responders; /* see names.h */
    size_t responders_bytes;
    size_t size_bytes; /* of this entry, names included */
    char initiator[];  /* and the responders behind its NUL */
};

TAILQ_HEAD(block_queue, block_entry);
TAILQ_HEAD(key_queue, key_entry);

struct store {
    struct id_table blocks, keys;
    struct block_queue block_lists[BLOCK_LISTS];
    struct key_queue key_lists[KEY_LISTS];
    size_t usable[BLOCK_OWNERS], pending[BLOCK_OWNERS], key_counts[KEY_LISTS];
};

size_t store_blocks_for(uint32_t size_bits)
{
    return ((size_t)size_bits + BLOCK_BITS - 1) / BLOCK_BITS;
}

struct store *store_new(void)
{
    struct store *store = OPENSSL_zalloc(sizeof(*store));

    if (store == NULL)
        return NULL;
    for (int i = 0; i < BLOCK_LISTS; i++)
        TAILQ_INIT(&store->block_lists[i]);
    for (int i = 0; i < KEY_LISTS; i++)
        TAILQ_INIT(&store->key_lists[i]);
    return store;
}

static size_t *block_counter(struct store *store, const struct block_entry *entry)
{
    return entry->list == LIST_PENDING ? &store->pending[entry->block.owner]
                                       : &store->usable[entry->block.owner];
}

static void enlist_block(struct store *store, struct block_entry *entry, enum block_list list)
{
    entry->list = list;
    TAILQ_INSERT_TAIL(&store->block_lists[list], entry, next);
    ++*block_counter(store, entry);
}

static void delist_block(struct store *store, struct block_entry *entry)
{
    --*block_counter(store, entry);
    TAILQ_REMOVE(&store->block_lists[entry->list], entry, next);
}

static void drop_block(struct store *store, struct block_entry *entry)
{
    delist_block(store, entry);
    id_table_take(&store->blocks, &entry->id);
    OPENSSL_clear_free(entry, sizeof(*entry));
}

static void drop_key(struct store *store, struct key_entry *entry)
{
    TAILQ_REMOVE(&store->key_lists[entry->list], entry, next);
    store->key_counts[entry->list]--;
    id_table_take(&store->keys, &entry->id);
    secret_free(entry->key);
    OPENSSL_clear_free(entry, entry->size_bytes);
}

static enum block_list usable_list(enum block_owner owner)
{
    return owner == BLOCK_OURS ? LIST_USABLE_OURS : LIST_USABLE_PEERS;
}

static size_t drop_list(struct store *store, enum block_list list)
{
    struct block_entry *entry;
    size_t dropped = 0;

    while ((entry = TAILQ_FIRST(&store->block_lists[list])) != NULL) {
        drop_block(store, entry);
        dropped++;
    }
    return dropped;
}

void store_free(struct store *store)
{
    struct key_entry *entry;

    if (store == NULL)
        return;
    store_drop_unassigned(store);
    for (int i = 0; i < KEY_LISTS; i++)
        while ((entry = TAILQ_FIRST(&store->key_lists[i])) != NULL)
            drop_key(store, entry);
    id_table_free(&store->blocks);
    id_table_free(&store->keys);
    OPENSSL_free(store);
}

bool store_add(struct store *store, const struct block *block, uint64_t sequence)
{
    struct block_entry *entry;

    if (id_table_get(&store->keys, &block->id) != NULL)
        return false;
    entry = OPENSSL_zalloc(sizeof(*entry));
    if (entry == NULL)
        return false;
    entry->id = block->id;
    entry->block = *block;
    entry->sequence = sequence;
    if (!id_table_put(&store->blocks, entry)) {
        OPENSSL_clear_free(entry, sizeof(*entry));
        return false;
    }
    enlist_block(store, entry, sequence > 0 ? LIST_PENDING : usable_list(block->owner));
    return true;
}

size_t store_confirm(struct store *store, uint64_t through)
{
    struct block_entry *entry;
    size_t confirmed = 0;

    while ((entry = TAILQ_FIRST(&store->block_lists[LIST_PENDING])) != NULL &&
           entry->sequence <= through) {
        delist_block(store, entry);
        enlist_block(store, entry, usable_list(entry->block.owner));
        confirmed++;
    }
    return confirmed;
}

size_t store_drop_pending(struct store *store)
{
    return drop_list(store, LIST_PENDING);
}

size_t store_drop_unassigned(struct store *store)
{
    return drop_list(store, LIST_PENDING) + drop_list(store, LIST_USABLE_OURS) +
           drop_list(store, LIST_USABLE_PEERS);
}

size_t store_usable(const struct store *store, enum block_owner owner)
{
    return store->usable[owner];
}

size_t store_pending(const struct store *store, enum block_owner owner)
{
    return store->pending[owner];
}

static struct key_entry *new_entry(const char *initiator, const struct names *responders,
                                   enum key_list list)
{
    size_t initiator_bytes = strlen(initiator) + 1;
    size_t size_bytes = sizeof(struct key_entry) + initiator_bytes + responders->bytes;
    struct key_entry *entry = OPENSSL_zalloc(size_bytes);

    if (entry == NULL)
        return NULL;
    entry->list = list;
    entry->size_bytes = size_bytes;
    memcpy(entry->initiator, initiator, initiator_bytes);
    memcpy(entry->initiator + initiator_bytes, responders->text, responders->bytes);
    entry->responders = entry->initiator + initiator_bytes;
    entry->responders_bytes = responders->bytes;
    entry->left = (UINT32_C(1) << responders->count) - 1;
    return entry;
}

static struct key_entry *new_key_entry(const struct assignment *assignment, enum key_list list,
                                       int64_t now_ns)
{
    struct key_entry *entry = new_entry(assignment->initiator, &assignment->responders, list);

    if (entry == NULL)
        return NULL;
    entry->id = assignment->key_id;
    entry->expires_ns = now_ns + (int64_t)assignment->lifetime_s * NS_PER_S;
    return entry;
}

/* Takes the entry over; on false it is freed. */
static bool keep_key(struct store *store, struct key_entry *entry)
{
    struct key_queue *list = &store->key_lists[entry->list];

    if (!id_table_put(&store->keys, entry)) {
        secret_free(entry->key);
        OPENSSL_clear_free(entry, entry->size_bytes);
        return false;
    }
    TAILQ_INSERT_TAIL(list, entry, next);
    store->key_counts[entry->list]++;
    return true;
}

/* Bounds the list; returns the bits of the held key that had to go. */
static uint64_t displace_oldest(struct store *store, enum key_list list)
{
    struct key_entry *oldest = TAILQ_FIRST(&store->key_lists[list]);
    uint64_t bits;

    if (store->key_counts[list] <= STORE_KEYS_MAX)
        return 0;
    bits = oldest->key != NULL ? oldest->key->size_bytes * 8 : 0;
    drop_key(store, oldest);
    return bits;
}

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

            memcpy(key->bytes + done, entry->block.octets, part);
            done += part;
        }
        drop_block(store, entry);
    }
    return key;
}

static void name_oldest_blocks(const struct store *store, struct key_id *blocks, size_t count)
{
    const struct block_entry *entry = TAILQ_FIRST(&store->block_lists[LIST_USABLE_OURS]);

    for (size_t i = 0; i < count; i++, entry = TAILQ_NEXT(entry, next))
        blocks[i] = entry->id;
}

bool store_reserve(struct store *store, struct assignment *assignment, int64_t now_ns,
                   struct secret **key, struct status *status)
{
    size_t count = store_blocks_for(assignment->size_bits);
    struct key_entry *entry;

    if (count == 0 || count > KEY_MAX_BLOCKS || count > store->usable[BLOCK_OURS])
        return status_fail(status, OUTCOME_EXHAUSTED,
                           "a key of %u bits was asked for and %zu bits are available",
                           (unsigned)assignment->size_bits, store->usable[BLOCK_OURS] * BLOCK_BITS);
    assignment->block_count = count;
    name_oldest_blocks(store, assignment->blocks, count);
    assignment->key_id = assignment->blocks[0];
    entry = new_key_entry(assignment, LIST_REMEMBERED, now_ns);
    if (entry == NULL || !keep_key(store, entry))
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a reservation");
    displace_oldest(store, LIST_REMEMBERED);
    *key = cut_key(store, assignment->size_bits / 8, assignment->blocks, count);
    if (*key == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a key of %u bits",
                           (unsigned)assignment->size_bits);
    return true;
}

/* Whether every block is the peer's and none is named twice. */
static bool blocks_are_there(const struct store *store, const struct key_id *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct block_entry *entry = id_table_get(&store->blocks, &blocks[i]);

        if (entry == NULL || entry->block.owner != BLOCK_PEERS)
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
                           "the peer assigned blocks that are not its own unassigned ones");
    entry = new_key_entry(assignment, LIST_HELD, now_ns);
    if (entry == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for an assigned key");
    entry->key =
        cut_key(store, assignment->size_bits / 8, assignment->blocks, assignment->block_count);
    if (entry->key == NULL) {
        OPENSSL_clear_free(entry, entry->size_bytes);
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for an assigned key");
    }
    if (!keep_key(store, entry))
        return status_fail(status, OUTCOME_INTERNAL, "cannot keep an assigned key");
    *displaced_bits = displace_oldest(store, LIST_HELD);
    return true;
}

bool store_hold(struct store *store, const struct relayed_key *relayed, struct secret *key,
                int64_t now_ns, uint64_t *displaced_bits, struct status *status)
{
    struct key_entry *entry = new_entry(relayed->initiator, &relayed->responders, LIST_HELD);

    *displaced_bits = 0;
    if (entry == NULL) {
        secret_free(key);
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a relayed key");
    }
    entry->id = relayed->key_id;
    entry->expires_ns = now_ns + (int64_t)relayed->lifetime_s * NS_PER_S;
    entry->key = key;
    if (id_table_get(&store->blocks, &entry->id) != NULL) {
        secret_free(key);
        OPENSSL_clear_free(entry, entry->size_bytes);
        return status_fail(status, OUTCOME_PEER, "the peer relayed a key with the ID of a block");
    }
    if (!keep_key(store, entry))
        return status_fail(status, OUTCOME_PEER, "cannot keep a relayed key: its ID is known");
    *displaced_bits = displace_oldest(store, LIST_HELD);
    return true;
}

bool store_cut_ours(struct store *store, struct cut *cut, struct secret **key,
                    struct status *status)
{
    size_t count = store_blocks_for(cut->size_bytes * 8);

    if (count == 0 || count > KEY_MAX_BLOCKS || count > store->usable[BLOCK_OURS])
        return status_fail(status, OUTCOME_EXHAUSTED,
                           "a chunk of %u octets was asked for and %zu bits are available",
                           (unsigned)cut->size_bytes, store->usable[BLOCK_OURS] * BLOCK_BITS);
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
                           "the peer cut a chunk from blocks that are not its own unassigned ones");
    *key = cut_key(store, cut->size_bytes, cut->blocks, cut->block_count);
    return *key != NULL || status_fail(status, OUTCOME_INTERNAL, "out of memory for a chunk");
}

enum claim_state store_look(const struct store *store, const struct key_id *id,
                            const char *responder, const char *initiator, int64_t now_ns)
{
    const struct key_entry *entry = id_table_get(&store->keys, id);
    const struct block_entry *block;
    int index;

    if (entry == NULL) {
        block = id_table_get(&store->blocks, id);
        return block != NULL && block->block.owner == BLOCK_PEERS ? CLAIM_EXPECTED : CLAIM_UNKNOWN;
    }
    if (entry->expires_ns <= now_ns)
        return CLAIM_UNKNOWN;
    index = names_find(entry->responders, entry->responders_bytes, responder);
    if (entry->list == LIST_REMEMBERED || index < 0)
        return CLAIM_UNAUTHORISED;
    if ((entry->left >> index & 1) == 0 || strcmp(entry->initiator, initiator) != 0)
        return CLAIM_UNKNOWN;
    return CLAIM_READY;
}

static struct secret *copy_key(const struct secret *key)
{
    struct secret *copy = secret_new(key->size_bytes);

    if (copy != NULL)
        memcpy(copy->bytes, key->bytes, key->size_bytes);
    return copy;
}

struct secret *store_claim(struct store *store, const struct key_id *id, const char *responder)
{
    struct key_entry *entry = id_table_get(&store->keys, id);
    int index =
        entry == NULL ? -1 : names_find(entry->responders, entry->responders_bytes, responder);
    struct secret *key;

    if (index < 0 || entry->list != LIST_HELD || (entry->left >> index & 1) == 0)
        return NULL;
    if (entry->left == UINT32_C(1) << index) {
        key = entry->key;
        entry->key = NULL;
        drop_key(store, entry);
        return key;
    }
    key = copy_key(entry->key);
    if (key != NULL)
        entry->left &= ~(UINT32_C(1) << index);
    return key;
}

uint64_t store_expire(struct store *store, int64_t now_ns)
{
    struct key_entry *entry;
    uint64_t bits = 0;

    /* Lists are in order of arrival. After the lifetime was lowered a key may be wiped later than
     * it expires, but it is not delivered any more: store_look has the exact time. */
    for (int i = 0; i < KEY_LISTS; i++) {
        while ((entry = TAILQ_FIRST(&store->key_lists[i])) != NULL && entry->expires_ns <= now_ns) {
            if (entry->key != NULL)
                bits += entry->key->size_bytes * 8;
            drop_key(store, entry);
        }
    }
    return bits;
}
