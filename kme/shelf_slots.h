/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the octets of a shelf's items lie in its file: in slots of one size. A slot is made once,
 * never moved, and overwritten in its place, so that no page of the database keeps a copy of what
 * was erased. (Rows of many sizes are moved when pages are split, and leave their octets behind.)
 * Private to shelf_file*.c. Every function here works inside the transaction of its caller.
 */
#ifndef QKD_KME_SHELF_SLOTS_H
#define QKD_KME_SHELF_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "kme/seal.h"
#include "kme/shelf.h"

enum {
    SLOT_BYTES = 1000, /* four to a page */
    SLOTS_MAX_PER_ITEM = (SHELF_OCTETS_MAX + SEAL_OVERHEAD_BYTES + SLOT_BYTES - 1) / SLOT_BYTES
};

/* The slots of one item, in the order of its octets. */
struct slot_list {
    size_t count;
    uint32_t numbers[SLOTS_MAX_PER_ITEM];
};

struct shelf_slots {
    sqlite3 *db; /* borrowed */
    sqlite3_stmt *make, *write, *read;
    uint32_t *free; /* numbers; owned */
    size_t free_count, free_room;
    uint32_t count;
};

extern const char shelf_slots_schema[];

/* `items` gives one column, the slot list of each item. False when SQLite refuses, when memory
 * runs out, or, with *damaged, when the lists contradict each other. */
bool shelf_slots_open(struct shelf_slots *slots, sqlite3 *db, sqlite3_stmt *items, bool *damaged);
void shelf_slots_close(struct shelf_slots *slots);

bool shelf_slots_put(struct shelf_slots *slots, const uint8_t *octets, size_t length,
                     struct slot_list *list);

/* Overwrites them with zeros. */
bool shelf_slots_erase(struct shelf_slots *slots, const struct slot_list *list);

/* `octets` has room for `length`, which the list must hold. */
bool shelf_slots_get(struct shelf_slots *slots, const struct slot_list *list, uint8_t *octets,
                     size_t length);

/* A list as a column holds it. False when it cannot be one. */
bool shelf_slots_read_list(sqlite3_stmt *row, int column, struct slot_list *list);

#endif
