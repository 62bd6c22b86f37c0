/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/id_table.h"

#include <stdint.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

enum { FIRST_SLOTS = 1024 }; /* a power of two, as every later count */

/* Multiply-shift over 32-bit words: two IDs collide by chance only, whoever chose them. Never 0. */
static uint32_t hash_of(const struct id_table *table, const struct key_id *id)
{
    uint64_t hash = table->factors[ID_TABLE_FACTORS - 1];
    uint32_t words[ID_TABLE_FACTORS - 1];

    memcpy(words, id->octets, sizeof(words));
    for (size_t i = 0; i < ID_TABLE_FACTORS - 1; i++)
        hash += table->factors[i] * words[i];
    hash >>= 32;
    return hash != 0 ? (uint32_t)hash : 1;
}

static size_t home(const struct id_table *table, uint32_t hash)
{
    return hash & (table->slot_count - 1);
}

static size_t next(const struct id_table *table, size_t slot)
{
    return (slot + 1) & (table->slot_count - 1);
}

/* The slot with this ID, or the empty one where it would go. */
static size_t find(const struct id_table *table, const struct key_id *id, uint32_t hash)
{
    size_t slot = home(table, hash);

    while (table->hashes[slot] != 0 &&
           (table->hashes[slot] != hash || !key_id_equal(table->slots[slot], id)))
        slot = next(table, slot);
    return slot;
}

static void fill(struct id_table *table, size_t slot, void *item, uint32_t hash)
{
    table->slots[slot] = item;
    table->hashes[slot] = hash;
}

static void free_slots(struct id_table *table)
{
    OPENSSL_free(table->slots);
    OPENSSL_free(table->hashes);
}

static bool grow(struct id_table *table)
{
    struct id_table larger = *table;

    if (table->slot_count == 0 &&
        RAND_bytes((unsigned char *)larger.factors, sizeof(larger.factors)) != 1)
        return false;
    larger.slot_count = table->slot_count == 0 ? FIRST_SLOTS : table->slot_count * 2;
    larger.slots = OPENSSL_zalloc(larger.slot_count * sizeof(*larger.slots));
    larger.hashes = OPENSSL_zalloc(larger.slot_count * sizeof(*larger.hashes));
    if (larger.slots == NULL || larger.hashes == NULL) {
        free_slots(&larger);
        return false;
    }
    for (size_t i = 0; i < table->slot_count; i++)
        if (table->hashes[i] != 0)
            fill(&larger, find(&larger, table->slots[i], table->hashes[i]), table->slots[i],
                 table->hashes[i]);
    free_slots(table);
    *table = larger;
    return true;
}

void id_table_free(struct id_table *table)
{
    free_slots(table);
    memset(table, 0, sizeof(*table));
}

void id_table_clear(struct id_table *table, void (*free_item)(void *item))
{
    for (size_t i = 0; i < table->slot_count; i++)
        if (table->slots[i] != NULL)
            free_item(table->slots[i]);
    id_table_free(table);
}

bool id_table_put(struct id_table *table, void *item)
{
    uint32_t hash;
    size_t slot;

    if ((table->item_count + 1) * 2 > table->slot_count && !grow(table))
        return false;
    hash = hash_of(table, item);
    slot = find(table, item, hash);
    if (table->hashes[slot] != 0)
        return false;
    fill(table, slot, item, hash);
    table->item_count++;
    return true;
}

void *id_table_get(const struct id_table *table, const struct key_id *id)
{
    return table->item_count == 0 ? NULL : table->slots[find(table, id, hash_of(table, id))];
}

/* Whether an item that belongs at `from` may move back into the hole: only if the hole lies on
 * its way from there to where it is now. */
static bool may_move(const struct id_table *table, size_t from, size_t hole, size_t now)
{
    size_t mask = table->slot_count - 1;

    return ((now - from) & mask) >= ((now - hole) & mask);
}

void *id_table_take(struct id_table *table, const struct key_id *id)
{
    size_t hole;
    void *item;

    if (table->item_count == 0)
        return NULL;
    hole = find(table, id, hash_of(table, id));
    item = table->slots[hole];
    if (item == NULL)
        return NULL;
    fill(table, hole, NULL, 0);
    table->item_count--;
    for (size_t i = next(table, hole); table->hashes[i] != 0; i = next(table, i)) {
        if (!may_move(table, home(table, table->hashes[i]), hole, i))
            continue;
        fill(table, hole, table->slots[i], table->hashes[i]);
        fill(table, i, NULL, 0);
        hole = i;
    }
    return item;
}
