/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/shelf_file.h"

#include <string.h>

#include <openssl/crypto.h>

#include "kme/shelf.h"
#include "kme/shelf_file_parts.h"

/* Of the write-ahead log: https://www.sqlite.org/fileformat2.html#walformat */
enum { LOG_HEADER_BYTES = 32, FRAME_HEADER_BYTES = 24, PAGE_BYTES = 4096 };

bool shelf_file_fail(const struct shelf_file *file, const char *doing, struct status *status)
{
    int system = file->db != NULL ? sqlite3_system_errno(file->db) : 0;

    return status_fail(status, OUTCOME_CONFIG, "cannot %s the store %s: %s%s%s", doing, file->path,
                       file->db != NULL ? sqlite3_errmsg(file->db) : "out of memory",
                       system != 0 ? ": " : "", system != 0 ? strerror(system) : "");
}

size_t shelf_file_about(const struct shelf_file *file, const struct shelf_item *item,
                        int64_t generation, uint8_t about[static SHELF_FILE_ABOUT_BYTES])
{
    size_t kme_id_size = strlen(file->kme_id) + 1, peer_size = strlen(item->peer) + 1;
    uint8_t *at = about;

    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (uint8_t)((uint64_t)generation >> shift);
    *at++ = (uint8_t)item->kind;
    memcpy(at, item->id->octets, KEY_ID_BYTES);
    at += KEY_ID_BYTES;
    memcpy(at, file->kme_id, kme_id_size);
    at += kme_id_size;
    memcpy(at, item->peer, peer_size);
    return (size_t)(at - about) + peer_size;
}

/* Runs a statement that gives no rows, and forgets what was bound to it. */
static bool run(struct shelf_file *file, sqlite3_stmt *statement, const char *doing,
                struct status *status)
{
    bool done = sqlite3_step(statement) == SQLITE_DONE;

    if (!done)
        shelf_file_fail(file, doing, status);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return done;
}

bool shelf_file_begin(struct shelf_file *file, struct status *status)
{
    return run(file, file->begin, "write to", status);
}

bool shelf_file_commit(struct shelf_file *file, struct status *status)
{
    return run(file, file->commit, "write to", status);
}

static bool bind_name(sqlite3_stmt *statement, const struct shelf_item *item)
{
    return sqlite3_bind_int(statement, 1, item->kind) == SQLITE_OK &&
           sqlite3_bind_text(statement, 2, item->peer, -1, SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_bind_blob(statement, 3, item->id->octets, KEY_ID_BYTES, SQLITE_STATIC) ==
               SQLITE_OK;
}

/* Removes a row of `item` and what lies in its slots. */
static bool erase(struct shelf_file *file, int64_t row, const struct slot_list *list,
                  struct status *status)
{
    if (!shelf_slots_erase(&file->slots, list) ||
        sqlite3_bind_int64(file->take, 1, row) != SQLITE_OK)
        return shelf_file_fail(file, "write to", status);
    file->counts.items--;
    return run(file, file->take, "write to", status);
}

bool shelf_file_take(struct shelf_file *file, const struct shelf_item *item, struct status *status)
{
    struct slot_list list;
    int64_t row = 0;
    int step = bind_name(file->find, item) ? sqlite3_step(file->find) : SQLITE_ERROR;
    bool good = step == SQLITE_DONE;

    if (step == SQLITE_ROW) {
        row = sqlite3_column_int64(file->find, 0);
        good = shelf_slots_read_list(file->find, 1, &list);
    }
    sqlite3_reset(file->find);
    sqlite3_clear_bindings(file->find);
    if (!good)
        return shelf_file_fail(file, "write to", status);
    return step == SQLITE_DONE || erase(file, row, &list, status);
}

static bool put_row(struct shelf_file *file, const struct shelf_item *item,
                    const struct slot_list *list, struct status *status)
{
    if (!bind_name(file->put, item) ||
        sqlite3_bind_int64(file->put, 4, file->generation) != SQLITE_OK ||
        sqlite3_bind_int64(file->put, 5, (sqlite3_int64)item->length) != SQLITE_OK ||
        sqlite3_bind_blob(file->put, 6, list->numbers, (int)(list->count * sizeof(uint32_t)),
                          SQLITE_STATIC) != SQLITE_OK)
        return shelf_file_fail(file, "write to", status);
    file->counts.items++;
    return run(file, file->put, "write to", status);
}

bool shelf_file_put(struct shelf_file *file, const struct shelf_item *item, struct status *status)
{
    const uint8_t *octets = item->octets;
    size_t length = item->length;
    uint8_t about[SHELF_FILE_ABOUT_BYTES];
    struct slot_list list;

    if (!shelf_file_take(file, item, status))
        return false;
    if (file->sealer != NULL && length > 0) {
        if (!sealer_seal(file->sealer, about, shelf_file_about(file, item, file->generation, about),
                         octets, length, file->sealed, status))
            return false;
        octets = file->sealed;
        length += SEAL_OVERHEAD_BYTES;
    }
    return shelf_slots_put(&file->slots, octets, length, &list)
               ? put_row(file, item, &list, status)
               : shelf_file_fail(file, "write to", status);
}

uint64_t shelf_file_log_bytes(const struct shelf_file *file)
{
    return file->log_frames * (FRAME_HEADER_BYTES + PAGE_BYTES);
}

/* The head goes first and for itself: a log with its head and only some of its frames would bring
 * old pages back after a loss of power. */
static bool overwrite(sqlite3_file *log)
{
    static const uint8_t zeros[65536];
    sqlite3_int64 size = 0, at = LOG_HEADER_BYTES;

    if (log == NULL || log->pMethods == NULL)
        return true;
    if (log->pMethods->xFileSize(log, &size) != SQLITE_OK)
        return false;
    if (size == 0)
        return true;
    if (log->pMethods->xWrite(log, zeros, LOG_HEADER_BYTES, 0) != SQLITE_OK ||
        log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        return false;
    for (; at < size; at += (sqlite3_int64)sizeof(zeros)) {
        sqlite3_int64 left = size - at;
        int length = left < (sqlite3_int64)sizeof(zeros) ? (int)left : (int)sizeof(zeros);

        if (log->pMethods->xWrite(log, zeros, length, at) != SQLITE_OK)
            return false;
    }
    return log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK;
}

bool shelf_file_scrub(struct shelf_file *file, struct status *status)
{
    sqlite3_file *log = NULL;

    if (sqlite3_wal_checkpoint_v2(file->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL) !=
            SQLITE_OK ||
        sqlite3_file_control(file->db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK)
        return shelf_file_fail(file, "clean up", status);
    if (!overwrite(log))
        return status_fail(status, OUTCOME_CONFIG, "cannot overwrite the log of the store %s",
                           file->path);
    file->log_frames = 0;
    return true;
}

/* The sealer that opens items of a generation; NULL when the file does not know it. */
static struct sealer *sealer_of(struct shelf_file *file, int64_t generation, struct status *status)
{
    sqlite3_stmt *find = NULL;
    struct sealer *found = NULL;

    if (file->old_sealer != NULL && file->old_generation == generation)
        return file->old_sealer;
    if (sqlite3_prepare_v2(file->db, "SELECT salt FROM generation WHERE number = ?1", -1, &find,
                           NULL) == SQLITE_OK &&
        sqlite3_bind_int64(find, 1, generation) == SQLITE_OK && sqlite3_step(find) == SQLITE_ROW &&
        sqlite3_column_bytes(find, 0) == SEAL_SALT_BYTES)
        found = sealer_new(file->libctx, file->key, sqlite3_column_blob(find, 0), status);
    sqlite3_finalize(find);
    sealer_free(file->old_sealer);
    file->old_sealer = found;
    file->old_generation = generation;
    return found;
}

/* One row of a load; false when it is damaged. Its octets end up in `room`. */
static bool read_row(struct shelf_file *file, sqlite3_stmt *rows, const struct slot_list *list,
                     struct shelf_item *item, uint8_t *room, struct status *status)
{
    int64_t generation = sqlite3_column_int64(rows, 3), length = sqlite3_column_int64(rows, 4);
    uint8_t about[SHELF_FILE_ABOUT_BYTES];
    size_t sealed_length;
    struct sealer *sealer;

    item->octets = room;
    item->length = length < 0 || length > SHELF_OCTETS_MAX ? 0 : (size_t)length;
    if (item->peer == NULL || strlen(item->peer) > SHELF_PEER_MAX_CHARS ||
        item->length != (size_t)length)
        return false;
    if (file->key == NULL || length == 0)
        return shelf_slots_get(&file->slots, list, room, item->length);
    sealed_length = item->length + SEAL_OVERHEAD_BYTES;
    sealer = sealer_of(file, generation, status);
    return sealer != NULL && shelf_slots_get(&file->slots, list, file->sealed, sealed_length) &&
           sealer_open(sealer, about, shelf_file_about(file, item, generation, about), file->sealed,
                       sealed_length, room);
}

static sqlite3_stmt *select_items(struct shelf_file *file, int kind, const char *peer,
                                  struct status *status)
{
    static const char text[] = "SELECT row, peer, id, generation, length, slots FROM item "
                               "WHERE +kind = ?1 AND (?2 IS NULL OR peer = ?2) ORDER BY row";
    sqlite3_stmt *rows = NULL;

    if (sqlite3_prepare_v2(file->db, text, -1, &rows, NULL) == SQLITE_OK &&
        sqlite3_bind_int(rows, 1, kind) == SQLITE_OK &&
        sqlite3_bind_text(rows, 2, peer, -1, SQLITE_STATIC) == SQLITE_OK)
        return rows;
    shelf_file_fail(file, "read", status);
    sqlite3_finalize(rows);
    return NULL;
}

struct load {
    struct shelf_file *file;
    sqlite3_stmt *rows;
    int kind;
    uint8_t *room; /* for the octets of one item */
    bool (*each)(void *arg, const char *peer, const struct key_id *id, const uint8_t *octets,
                 size_t length);
    void *arg;
};

static bool load_row(const struct load *load, struct status *status)
{
    struct shelf_file *file = load->file;
    sqlite3_stmt *rows = load->rows;
    const void *name = sqlite3_column_blob(rows, 2);
    bool named = name != NULL && sqlite3_column_bytes(rows, 2) == KEY_ID_BYTES;
    struct key_id id = {{0}};
    struct shelf_item item = {
        .kind = load->kind, .peer = (const char *)sqlite3_column_text(rows, 1), .id = &id};
    struct slot_list list;
    bool wanted;

    if (named)
        memcpy(id.octets, name, KEY_ID_BYTES);
    if (shelf_slots_read_list(rows, 5, &list) && named &&
        read_row(file, rows, &list, &item, load->room, status)) {
        wanted = load->each(load->arg, item.peer, item.id, item.octets, item.length);
        OPENSSL_cleanse(load->room, item.length);
        return wanted;
    }
    file->counts.damaged_items++;
    file->counts.damaged_bytes += item.length;
    return status->outcome == OUTCOME_OK &&
           erase(file, sqlite3_column_int64(rows, 0), &list, status);
}

bool shelf_file_load(struct shelf_file *file, int kind, const char *peer,
                     bool (*each)(void *arg, const char *peer, const struct key_id *id,
                                  const uint8_t *octets, size_t length),
                     void *arg, struct status *status)
{
    struct load load = {.file = file, .kind = kind, .each = each, .arg = arg};
    int step = SQLITE_DONE;
    bool wanted = true;

    load.room = OPENSSL_malloc(SHELF_OCTETS_MAX);
    if (load.room == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory to read the store");
    load.rows = select_items(file, kind, peer, status);
    while (load.rows != NULL && wanted && (step = sqlite3_step(load.rows)) == SQLITE_ROW)
        wanted = load_row(&load, status);
    if (wanted && step != SQLITE_DONE)
        shelf_file_fail(file, "read", status);
    wanted = wanted && load.rows != NULL && step == SQLITE_DONE;
    sqlite3_finalize(load.rows);
    OPENSSL_clear_free(load.room, SHELF_OCTETS_MAX);
    return wanted;
}

void shelf_file_count(const struct shelf_file *file, struct shelf_file_counts *counts)
{
    static const int parts[] = {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER};

    *counts = file->counts;
    counts->file_bytes = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        sqlite3_file *part = NULL;
        sqlite3_int64 size = 0;

        if (sqlite3_file_control(file->db, NULL, parts[i], &part) == SQLITE_OK && part != NULL &&
            part->pMethods != NULL && part->pMethods->xFileSize(part, &size) == SQLITE_OK)
            counts->file_bytes += (uint64_t)size;
    }
}
