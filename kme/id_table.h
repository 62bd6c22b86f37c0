/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from key ID to an item. Items are the caller's: any struct whose first member is
 * its struct key_id. SAEs may choose IDs, so every table hashes with random numbers of its own.
 */
#ifndef QKD_KME_ID_TABLE_H
#define QKD_KME_ID_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key_id.h"

enum { ID_TABLE_FACTORS = KEY_ID_BYTES / 4 + 1 };

struct id_table {
    void **slots;     /* owned; the items are not */
    uint32_t *hashes; /* of the item in each slot, 0 where there is none: spares a look at it */
    size_t slot_count;
    size_t item_count;
    uint64_t factors[ID_TABLE_FACTORS]; /* random, from the first item on */
};

/* All zeros is an empty table. Frees the slots, not the items. */
void id_table_free(struct id_table *table);

/* Frees each item, and the slots. */
void id_table_clear(struct id_table *table, void (*free_item)(void *item));

/* False when the ID is there already, or when out of memory or random numbers. */
bool id_table_put(struct id_table *table, void *item);
void *id_table_get(const struct id_table *table, const struct key_id *id);

/* Takes the item with this ID out and returns it, or NULL. */
void *id_table_take(struct id_table *table, const struct key_id *id);

#endif
