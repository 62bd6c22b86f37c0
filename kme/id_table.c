/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/id_table.h"

#include <stdint.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

enum { FIRST_SLOTS = 1024 }; /* a power of two, as every later count */

/* Multiply-shift over 32-bit words: two IDs collide by chance only, whoever chose them. */
static size_t home(const struct id_table *table, const struct key_id *id)
{
    uint64_t hash = table->factors[ID_TABLE_FACTORS - 1];
    uint32_t words[ID_TABLE_FACTORS - 1];

    memcpy(words, id->octets, sizeof(words));
    for (size_t i = 0; i < ID_TABLE_FACTORS - 1; i++)
        hash += table->factors[i] * words[i];
    return (size_t)(hash >> 32) & (table->slot_count - 1);
}

static size_t next(const struct id_table *table, size_t slot)
{
    return (slot + 1) & (table->slot_count - 1);
}

/* The slot with this ID, or the empty one where it would go. */
static size_t find(const struct id_table *table, const struct key_id *id)
{
    size_t slot = home(table, id);

    while (table->slots[slot] != NULL && !key_id_equal(table->slots[slot], id))
        slot = next(table, slot);
    return slot;
}

static bool grow(struct id_table *table)
{
    struct id_table larger = *table;

    if (table->slot_count == 0 &&
        RAND_bytes((unsigned char *)larger.factors, sizeof(larger.factors)) != 1)
        return false;
    larger.slot_count = table->slot_count == 0 ? FIRST_SLOTS : table->slot_count * 2;
    larger.slots = OPENSSL_zalloc(larger.slot_count * sizeof(*larger.slots));
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < table->slot_count; i++)
        if (table->slots[i] != NULL)
            larger.slots[find(&larger, table->slots[i])] = table->slots[i];
    OPENSSL_free(table->slots);
    *table = larger;
    return true;
}

void id_table_free(struct id_table *table)
{
    OPENSSL_free(table->slots);
    memset(table, 0, sizeof(*table));
}

bool id_table_put(struct id_table *table, void *item)
{
    size_t slot;

    if ((table->item_count + 1) * 2 > table->slot_count && !grow(table))
        return false;
    slot = find(table, item);
    if (table->slots[slot] != NULL)
        return false;
    table->slots[slot] = item;
    table->item_count++;
    return true;
}

void *id_table_get(const struct id_table *table, const struct key_id *id)
{
    return table->item_count == 0 ? NULL : table->slots[find(table, id)];
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
    hole = find(table, id);
    item = table->slots[hole];
    if (item == NULL)
        return NULL;
    table->slots[hole] = NULL;
    table->item_count--;
    for (size_t i = next(table, hole); table->slots[i] != NULL; i = next(table, i)) {
        if (!may_move(table, home(table, table->slots[i]), hole, i))
            continue;
        table->slots[hole] = table->slots[i];
        table->slots[i] = NULL;
        hole = i;
    }
    return item;
}
