/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/shelf_slots.h"

#include <string.h>

#include <openssl/crypto.h>

const char shelf_slots_schema[] =
    "CREATE TABLE slot (number INTEGER PRIMARY KEY, octets BLOB NOT NULL);";

static bool prepare(sqlite3 *db, const char *text, sqlite3_stmt **statement)
{
    return sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) ==
           SQLITE_OK;
}

bool shelf_slots_read_list(sqlite3_stmt *row, int column, struct slot_list *list)
{
    const void *numbers = sqlite3_column_blob(row, column);
    size_t bytes = (size_t)sqlite3_column_bytes(row, column);

    list->count = 0;
    if (bytes > sizeof(list->numbers) || bytes % sizeof(list->numbers[0]) != 0 ||
        (bytes > 0 && numbers == NULL))
        return false;
    if (bytes > 0)
        memcpy(list->numbers, numbers, bytes);
    list->count = bytes / sizeof(list->numbers[0]);
    return true;
}

static bool give_back(struct shelf_slots *slots, uint32_t number)
{
    enum { ROOM = 1024 };

    if (slots->free_count == slots->free_room) {
        size_t room = slots->free_room + ROOM + slots->free_room / 2;
        uint32_t *grown = OPENSSL_realloc(slots->free, room * sizeof(*grown));

        if (grown == NULL)
            return false;
        slots->free = grown;
        slots->free_room = room;
    }
    slots->free[slots->free_count++] = number;
    return true;
}

/* Sets the bit of every slot that an item has; false when one is had twice, or is not there. */
static bool mark_used(const struct shelf_slots *slots, sqlite3_stmt *items, uint8_t *used)
{
    struct slot_list list;
    int step;

    while ((step = sqlite3_step(items)) == SQLITE_ROW) {
        if (!shelf_slots_read_list(items, 0, &list))
            return false;
        for (size_t i = 0; i < list.count; i++) {
            uint32_t number = list.numbers[i];
            uint8_t bit = (uint8_t)(1U << (number % 8));

            if (number == 0 || number > slots->count || (used[number / 8] & bit) != 0)
                return false;
            used[number / 8] |= bit;
        }
    }
    return step == SQLITE_DONE;
}

static bool find_free(struct shelf_slots *slots, sqlite3_stmt *items, bool *damaged)
{
    uint8_t *used = OPENSSL_zalloc((size_t)slots->count / 8 + 1);
    bool done = used != NULL;

    if (done && !mark_used(slots, items, used)) {
        *damaged = true;
        done = false;
    }
    for (uint32_t number = slots->count; done && number > 0; number--)
        if ((used[number / 8] & (1U << (number % 8))) == 0)
            done = give_back(slots, number);
    OPENSSL_free(used);
    return done;
}

bool shelf_slots_open(struct shelf_slots *slots, sqlite3 *db, sqlite3_stmt *items, bool *damaged)
{
    sqlite3_stmt *last = NULL;
    sqlite3_int64 count = 0;
    bool done;

    slots->db = db;
    if (!prepare(db, "INSERT INTO slot VALUES (?2, ?1)", &slots->make) ||
        !prepare(db, "UPDATE slot SET octets = ?1 WHERE number = ?2", &slots->write) ||
        !prepare(db, "SELECT octets FROM slot WHERE number = ?1", &slots->read) ||
        !prepare(db, "SELECT coalesce(max(number), 0) FROM slot", &last))
        return false;
    done = sqlite3_step(last) == SQLITE_ROW;
    if (done)
        count = sqlite3_column_int64(last, 0);
    sqlite3_finalize(last);
    *damaged = done && (count < 0 || count >= UINT32_MAX);
    slots->count = (uint32_t)count;
    return done && !*damaged && find_free(slots, items, damaged);
}

void shelf_slots_close(struct shelf_slots *slots)
{
    sqlite3_finalize(slots->make);
    sqlite3_finalize(slots->write);
    sqlite3_finalize(slots->read);
    OPENSSL_free(slots->free);
}

static bool write_slot(sqlite3_stmt *statement, uint32_t number, const uint8_t *octets)
{
    bool done = sqlite3_bind_blob(statement, 1, octets, SLOT_BYTES, SQLITE_STATIC) == SQLITE_OK &&
                sqlite3_bind_int64(statement, 2, number) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_DONE;

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return done;
}

bool shelf_slots_put(struct shelf_slots *slots, const uint8_t *octets, size_t length,
                     struct slot_list *list)
{
    uint8_t slot[SLOT_BYTES];
    bool done = true;

    list->count = 0;
    for (size_t at = 0; done && at < length; at += SLOT_BYTES) {
        size_t part = length - at < SLOT_BYTES ? length - at : SLOT_BYTES;
        bool make = slots->free_count == 0;
        uint32_t number = make ? slots->count + 1 : slots->free[slots->free_count - 1];

        memcpy(slot, octets + at, part);
        memset(slot + part, 0, SLOT_BYTES - part);
        done = slots->count < UINT32_MAX &&
               write_slot(make ? slots->make : slots->write, number, slot);
        if (make)
            slots->count++;
        else
            slots->free_count--;
        list->numbers[list->count++] = number;
    }
    OPENSSL_cleanse(slot, sizeof(slot));
    return done;
}

bool shelf_slots_erase(struct shelf_slots *slots, const struct slot_list *list)
{
    static const uint8_t zeros[SLOT_BYTES];

    for (size_t i = 0; i < list->count; i++)
        if (!write_slot(slots->write, list->numbers[i], zeros) ||
            !give_back(slots, list->numbers[i]))
            return false;
    return true;
}

bool shelf_slots_get(struct shelf_slots *slots, const struct slot_list *list, uint8_t *octets,
                     size_t length)
{
    bool done = (length + SLOT_BYTES - 1) / SLOT_BYTES == list->count;

    for (size_t i = 0; done && i < list->count; i++) {
        size_t at = i * SLOT_BYTES, part = length - at < SLOT_BYTES ? length - at : SLOT_BYTES;

        done = sqlite3_bind_int64(slots->read, 1, list->numbers[i]) == SQLITE_OK &&
               sqlite3_step(slots->read) == SQLITE_ROW &&
               sqlite3_column_bytes(slots->read, 0) == SLOT_BYTES;
        if (done)
            memcpy(octets + at, sqlite3_column_blob(slots->read, 0), part);
        sqlite3_reset(slots->read);
    }
    return done;
}
