/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that are held for responders, and those remembered for initiators. */
#include "kme/store_parts.h"

#include <string.h>

#include <openssl/crypto.h>

static struct key_entry *allocate(const struct key_id *id, const char *initiator,
                                  const struct names *responders)
{
    size_t initiator_bytes = strlen(initiator) + 1;
    size_t size_bytes = sizeof(struct key_entry) + initiator_bytes + responders->bytes;
    struct key_entry *entry = OPENSSL_zalloc(size_bytes);

    if (entry == NULL)
        return NULL;
    entry->id = *id;
    entry->size_bytes = size_bytes;
    memcpy(entry->initiator, initiator, initiator_bytes);
    memcpy(entry->initiator + initiator_bytes, responders->text, responders->bytes);
    entry->responders = entry->initiator + initiator_bytes;
    entry->responders_bytes = responders->bytes;
    entry->left = (UINT32_C(1) << responders->count) - 1;
    return entry;
}

static struct key_entry *begin(struct key_entry *entry, enum key_list list, uint32_t lifetime_s,
                               int64_t now_ns)
{
    if (entry == NULL)
        return NULL;
    entry->list = list;
    entry->since_ns = now_ns;
    entry->expires_ns = now_ns + (int64_t)lifetime_s * NS_PER_S;
    return entry;
}

struct key_entry *key_new(const struct relayed_key *about, enum key_list list, int64_t now_ns)
{
    return begin(allocate(&about->key_id, about->initiator, &about->responders), list,
                 about->lifetime_s, now_ns);
}

struct key_entry *key_of(const struct assignment *assignment, enum key_list list, int64_t now_ns)
{
    return begin(allocate(&assignment->key_id, assignment->initiator, &assignment->responders),
                 list, assignment->lifetime_s, now_ns);
}

void key_free(struct key_entry *entry)
{
    secret_free(entry->key);
    OPENSSL_clear_free(entry, entry->size_bytes);
}

static void count_key(struct store *store, const struct key_entry *entry)
{
    store->key_counts[entry->list]++;
    if (entry->list == LIST_HOT)
        store->keys_at_risk_bits += entry->size_bits;
}

static void uncount_key(struct store *store, const struct key_entry *entry)
{
    store->key_counts[entry->list]--;
    if (entry->list == LIST_HOT)
        store->keys_at_risk_bits -= entry->size_bits;
}

bool key_keep(struct store *store, struct key_entry *entry)
{
    if (!id_table_put(&store->keys, entry)) {
        key_free(entry);
        return false;
    }
    entry->size_bits = entry->key != NULL ? (uint32_t)entry->key->size_bytes * 8 : 0;
    TAILQ_INSERT_TAIL(&store->key_lists[entry->list], entry, next);
    count_key(store, entry);
    return true;
}

void key_move(struct store *store, struct key_entry *entry, enum key_list list, bool to_head)
{
    TAILQ_REMOVE(&store->key_lists[entry->list], entry, next);
    uncount_key(store, entry);
    entry->list = list;
    count_key(store, entry);
    if (to_head)
        TAILQ_INSERT_HEAD(&store->key_lists[list], entry, next);
    else
        TAILQ_INSERT_TAIL(&store->key_lists[list], entry, next);
}

void key_drop(struct store *store, struct key_entry *entry)
{
    if (entry->batch != NULL)
        batch_leave(store, entry);
    TAILQ_REMOVE(&store->key_lists[entry->list], entry, next);
    uncount_key(store, entry);
    id_table_take(&store->keys, &entry->id);
    key_free(entry);
}

uint64_t key_displace(struct store *store, enum key_list list)
{
    struct key_entry *oldest = NULL;
    uint64_t bits;

    if (list == LIST_REMEMBERED) {
        if (store->key_counts[list] > STORE_KEYS_MAX)
            oldest = TAILQ_FIRST(&store->key_lists[list]);
    } else if (store->key_counts[LIST_HOT] + store->key_counts[LIST_RESTING] > STORE_KEYS_MAX) {
        oldest = TAILQ_FIRST(&store->key_lists[LIST_RESTING]);
        if (oldest == NULL)
            oldest = TAILQ_FIRST(&store->key_lists[LIST_HOT]);
    }
    if (oldest == NULL)
        return 0;
    bits = oldest->key != NULL ? oldest->key->size_bytes * 8 : 0;
    key_drop(store, oldest);
    return bits;
}

bool store_hold(struct store *store, const struct relayed_key *relayed, struct secret *key,
                int64_t now_ns, uint64_t *displaced_bits, struct status *status)
{
    struct key_entry *entry = key_new(relayed, LIST_HOT, now_ns);

    *displaced_bits = 0;
    if (entry == NULL) {
        secret_free(key);
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a relayed key");
    }
    entry->key = key;
    if (id_table_get(&store->blocks, &entry->id) != NULL) {
        key_free(entry);
        return status_fail(status, OUTCOME_PEER, "the peer relayed a key with the ID of a block");
    }
    if (!key_keep(store, entry))
        return status_fail(status, OUTCOME_PEER, "cannot keep a relayed key: its ID is known");
    *displaced_bits = key_displace(store, LIST_HOT);
    return true;
}

enum claim_state store_look(const struct store *store, const struct key_id *id,
                            const char *responder, const char *initiator, int64_t now_ns)
{
    const struct key_entry *entry = id_table_get(&store->keys, id);
    const struct block_entry *block;
    int index;

    if (entry == NULL) {
        block = id_table_get(&store->blocks, id);
        return block != NULL && block->segment->owner == BLOCK_PEERS ? CLAIM_EXPECTED
                                                                     : CLAIM_UNKNOWN;
    }
    if (entry->expires_ns <= now_ns)
        return CLAIM_UNKNOWN;
    index = names_find(entry->responders, entry->responders_bytes, responder);
    if (entry->list == LIST_REMEMBERED || index < 0)
        return CLAIM_UNAUTHORISED;
    if ((entry->left >> index & 1) == 0 || strcmp(entry->initiator, initiator) != 0)
        return CLAIM_UNKNOWN;
    return entry->list == LIST_HOT ? CLAIM_READY : CLAIM_OPENING;
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

    if (index < 0 || entry->list != LIST_HOT || (entry->left >> index & 1) == 0)
        return NULL;
    if (entry->left == UINT32_C(1) << index) {
        key = entry->key;
        entry->key = NULL;
        key_drop(store, entry);
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
            key_drop(store, entry);
        }
    }
    return bits;
}
