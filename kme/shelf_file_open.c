/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the file of a shelf: making it, and refusing it where it is not ours to use. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "kme/shelf.h"
#include "kme/shelf_file_parts.h"

enum {
    APPLICATION = 0x514b4d45, /* "QKME" */
    SCHEMA_VERSION = 1,
    CHECK_BYTES = 16 + SEAL_OVERHEAD_BYTES,
    TEXT_BYTES = 128
};

/* A log is always zero octets or scrubbed before it is given up; auto-checkpoints would leave what
 * was deleted in it. Exclusive locking also keeps the log's index out of a shared file. */
static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA page_size = 4096;"
                               "PRAGMA journal_mode = WAL;"
                               "PRAGMA wal_autocheckpoint = 0;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA secure_delete = ON;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA cell_size_check = ON;";

static const char schema[] =
    "CREATE TABLE about (kme_id TEXT NOT NULL, sealed INTEGER NOT NULL);"
    "CREATE TABLE generation (number INTEGER PRIMARY KEY, salt BLOB, proof BLOB);"
    "CREATE TABLE item (row INTEGER PRIMARY KEY, kind INTEGER NOT NULL, peer TEXT NOT NULL,"
    " id BLOB NOT NULL, generation INTEGER NOT NULL, length INTEGER NOT NULL, slots BLOB NOT NULL);"
    "CREATE UNIQUE INDEX item_name ON item (kind, peer, id);";

static bool fail_damaged(const struct shelf_file *file, const char *why, struct status *status)
{
    return status_fail(status, OUTCOME_CONFIG,
                       "the store %s is damaged (%s): move it and %s-wal away to begin with an "
                       "empty one; the key material in it is lost",
                       file->path, why, file->path);
}

/* What goes wrong with a file that is there. */
static bool refuse(const struct shelf_file *file, struct status *status)
{
    switch (sqlite3_errcode(file->db) & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return status_fail(status, OUTCOME_CONFIG, "the store %s is used by another process",
                           file->path);
    case SQLITE_NOTADB:
        return status_fail(status, OUTCOME_CONFIG,
                           "%s is not a store of qkd-kme: name another file, or move it away",
                           file->path);
    case SQLITE_CORRUPT:
        return fail_damaged(file, sqlite3_errmsg(file->db), status);
    default:
        return shelf_file_fail(file, "use", status);
    }
}

static bool execute(struct shelf_file *file, const char *text, struct status *status)
{
    return sqlite3_exec(file->db, text, NULL, NULL, NULL) == SQLITE_OK || refuse(file, status);
}

static bool prepare(struct shelf_file *file, const char *text, sqlite3_stmt **statement,
                    struct status *status)
{
    return sqlite3_prepare_v3(file->db, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) ==
               SQLITE_OK ||
           refuse(file, status);
}

static bool read_number(struct shelf_file *file, const char *text, int64_t *number,
                        struct status *status)
{
    sqlite3_stmt *statement = NULL;
    bool done;

    if (!prepare(file, text, &statement, status))
        return false;
    done = sqlite3_step(statement) == SQLITE_ROW;
    if (done)
        *number = sqlite3_column_int64(statement, 0);
    else
        refuse(file, status);
    sqlite3_finalize(statement);
    return done;
}

static bool sync_folder(const char *path)
{
    char copy[PATH_MAX];
    int fd;
    bool done;

    if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
        return false;
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    done = fsync(fd) == 0;
    close(fd);
    return done;
}

/* SQLite would make it with the permissions of the umask. */
static bool make_private(const char *path, struct status *status)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    struct stat stat;
    bool done = false;

    if (fd < 0)
        return status_fail(status, OUTCOME_CONFIG, "cannot open the store %s: %s", path,
                           strerror(errno));
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode))
        status_fail(status, OUTCOME_CONFIG, "the store %s is not a regular file", path);
    else if ((stat.st_mode & 0777) != 0600 && fchmod(fd, 0600) != 0)
        status_fail(status, OUTCOME_CONFIG, "the store %s is open to others: %s", path,
                    strerror(errno));
    else if (stat.st_size == 0 && !sync_folder(path))
        status_fail(status, OUTCOME_CONFIG, "cannot sync the folder of the store %s: %s", path,
                    strerror(errno));
    else
        done = true;
    close(fd);
    return done;
}

static int on_commit(void *arg, sqlite3 *db, const char *name, int frames)
{
    struct shelf_file *file = arg;

    (void)db;
    (void)name;
    file->log_frames = (uint64_t)frames;
    return SQLITE_OK;
}

static bool create(struct shelf_file *file, struct status *status)
{
    char text[TEXT_BYTES];
    sqlite3_stmt *about = NULL;
    bool done;

    snprintf(text, sizeof(text), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             APPLICATION, SCHEMA_VERSION);
    if (!execute(file, "BEGIN IMMEDIATE", status) || !execute(file, schema, status) ||
        !execute(file, shelf_slots_schema, status) || !execute(file, text, status) ||
        !prepare(file, "INSERT INTO about VALUES (?1, ?2)", &about, status))
        return false;
    done = sqlite3_bind_text(about, 1, file->kme_id, -1, SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_bind_int(about, 2, file->key != NULL) == SQLITE_OK &&
           sqlite3_step(about) == SQLITE_DONE;
    if (!done)
        refuse(file, status);
    sqlite3_finalize(about);
    return done && execute(file, "COMMIT", status);
}

static bool check_owner(const struct shelf_file *file, const char *kme_id, bool sealed,
                        const char *key_file, struct status *status)
{
    if (kme_id == NULL || strcmp(kme_id, file->kme_id) != 0)
        return status_fail(status, OUTCOME_CONFIG,
                           "the store %s is of key server '%s', not of '%s': each needs one of its "
                           "own",
                           file->path, kme_id != NULL ? kme_id : "", file->kme_id);
    if (sealed && key_file == NULL)
        return status_fail(status, OUTCOME_CONFIG,
                           "the store %s is sealed: name the key file that it was sealed with "
                           "(store.key_file)",
                           file->path);
    if (!sealed && key_file != NULL)
        return status_fail(status, OUTCOME_CONFIG,
                           "the store %s was written without a key file: begin with an empty one, "
                           "or remove store.key_file",
                           file->path);
    return true;
}

/* Whether the file that is there is ours. */
static bool check(struct shelf_file *file, const char *key_file, struct status *status)
{
    sqlite3_stmt *about = NULL;
    int64_t application, version;
    bool done;

    if (!read_number(file, "PRAGMA application_id", &application, status) ||
        !read_number(file, "PRAGMA user_version", &version, status))
        return false;
    if (application != APPLICATION)
        return status_fail(status, OUTCOME_CONFIG,
                           "%s is not a store of qkd-kme: name another file, or move it away",
                           file->path);
    if (version != SCHEMA_VERSION)
        return status_fail(status, OUTCOME_CONFIG,
                           "the store %s is of version %lld, and this qkd-kme knows version %d",
                           file->path, (long long)version, SCHEMA_VERSION);
    if (!prepare(file, "SELECT kme_id, sealed FROM about", &about, status))
        return false;
    if (sqlite3_step(about) == SQLITE_ROW)
        done = check_owner(file, (const char *)sqlite3_column_text(about, 0),
                           sqlite3_column_int(about, 1) != 0, key_file, status);
    else
        done = refuse(file, status);
    sqlite3_finalize(about);
    return done;
}

static bool check_pages(struct shelf_file *file, struct status *status)
{
    sqlite3_stmt *quick = NULL;
    const char *says = NULL;
    bool done;

    if (!prepare(file, "PRAGMA quick_check(1)", &quick, status))
        return false;
    if (sqlite3_step(quick) == SQLITE_ROW)
        says = (const char *)sqlite3_column_text(quick, 0);
    done = says != NULL && strcmp(says, "ok") == 0;
    if (!done)
        fail_damaged(file, says != NULL ? says : sqlite3_errmsg(file->db), status);
    sqlite3_finalize(quick);
    return done;
}

/* What every generation seals once, so that a wrong key file is seen at the start. */
static const struct shelf_item proof = {SHELF_KINDS, "", &(const struct key_id){{0}}, NULL, 0};

static bool prove(struct shelf_file *file, sqlite3_stmt *last, const char *key_file,
                  struct status *status)
{
    uint8_t about[SHELF_FILE_ABOUT_BYTES], octets[CHECK_BYTES];
    struct sealer *sealer = NULL;
    bool proven;

    if (sqlite3_column_bytes(last, 1) == SEAL_SALT_BYTES &&
        sqlite3_column_bytes(last, 2) == CHECK_BYTES)
        sealer = sealer_new(file->libctx, file->key, sqlite3_column_blob(last, 1), status);
    proven = sealer != NULL &&
             sealer_open(sealer, about,
                         shelf_file_about(file, &proof, sqlite3_column_int64(last, 0), about),
                         sqlite3_column_blob(last, 2), CHECK_BYTES, octets);
    sealer_free(sealer);
    return proven || status_fail(status, OUTCOME_CONFIG,
                                 "the store %s was sealed with another key file than %s: bring "
                                 "back that one, or begin with an empty store",
                                 file->path, key_file);
}

static bool check_key(struct shelf_file *file, const char *key_file, struct status *status)
{
    static const char text[] =
        "SELECT number, salt, proof FROM generation ORDER BY number DESC LIMIT 1";
    sqlite3_stmt *last = NULL;
    bool done = true;

    if (file->key == NULL)
        return true;
    if (!prepare(file, text, &last, status))
        return false;
    if (sqlite3_step(last) == SQLITE_ROW) {
        file->generation = sqlite3_column_int64(last, 0);
        done = prove(file, last, key_file, status);
    }
    sqlite3_finalize(last);
    return done;
}

/* A new generation for this process, and an end to those that sealed nothing which is still here.
 */
static bool begin_generation(struct shelf_file *file, struct status *status)
{
    static const uint8_t zeros[CHECK_BYTES - SEAL_OVERHEAD_BYTES];
    static const char prune[] = "DELETE FROM generation WHERE number NOT IN "
                                "(SELECT generation FROM item) AND number < "
                                "(SELECT max(number) FROM generation)";
    uint8_t salt[SEAL_SALT_BYTES], about[SHELF_FILE_ABOUT_BYTES], sealed[CHECK_BYTES];
    sqlite3_stmt *insert = NULL;
    bool done;

    if (file->key == NULL)
        return true;
    file->generation++;
    if (RAND_bytes_ex(file->libctx, salt, sizeof(salt), 256) != 1)
        return status_fail(status, OUTCOME_INTERNAL, "OpenSSL has no random numbers");
    file->sealer = sealer_new(file->libctx, file->key, salt, status);
    if (file->sealer == NULL ||
        !sealer_seal(file->sealer, about, shelf_file_about(file, &proof, file->generation, about),
                     zeros, sizeof(zeros), sealed, status) ||
        !prepare(file, "INSERT INTO generation VALUES (?1, ?2, ?3)", &insert, status))
        return false;
    done = sqlite3_bind_int64(insert, 1, file->generation) == SQLITE_OK &&
           sqlite3_bind_blob(insert, 2, salt, sizeof(salt), SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_bind_blob(insert, 3, sealed, sizeof(sealed), SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_step(insert) == SQLITE_DONE;
    if (!done)
        refuse(file, status);
    sqlite3_finalize(insert);
    return done && execute(file, prune, status);
}

static bool open_slots(struct shelf_file *file, struct status *status)
{
    sqlite3_stmt *items = NULL;
    bool damaged = false, done;

    if (!prepare(file, "SELECT slots FROM item", &items, status))
        return false;
    done = shelf_slots_open(&file->slots, file->db, items, &damaged);
    if (damaged)
        fail_damaged(file, "two items claim the same place", status);
    else if (!done)
        refuse(file, status);
    sqlite3_finalize(items);
    return done;
}

static bool prepare_all(struct shelf_file *file, struct status *status)
{
    static const char put[] = "INSERT INTO item (kind, peer, id, generation, length, slots) "
                              "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    static const char find[] =
        "SELECT row, slots FROM item WHERE kind = ?1 AND peer = ?2 AND id = ?3";
    int64_t items;

    if (!prepare(file, "BEGIN IMMEDIATE", &file->begin, status) ||
        !prepare(file, "COMMIT", &file->commit, status) ||
        !prepare(file, put, &file->put, status) || !prepare(file, find, &file->find, status) ||
        !prepare(file, "DELETE FROM item WHERE row = ?1", &file->take, status) ||
        !read_number(file, "SELECT count(*) FROM item", &items, status))
        return false;
    file->counts.items = (uint64_t)items;
    return open_slots(file, status);
}

static bool use(struct shelf_file *file, const char *key_file, struct status *status)
{
    int64_t tables;

    if (sqlite3_open_v2(file->path, &file->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return refuse(file, status);
    if (!execute(file, settings, status) ||
        !read_number(file, "SELECT count(*) FROM sqlite_master", &tables, status))
        return false;
    sqlite3_wal_hook(file->db, on_commit, file);
    if (tables == 0 && !create(file, status))
        return false;
    return check(file, key_file, status) && check_pages(file, status) &&
           check_key(file, key_file, status) && begin_generation(file, status) &&
           prepare_all(file, status) && shelf_file_scrub(file, status);
}

static void release(struct shelf_file *file)
{
    sqlite3_finalize(file->begin);
    sqlite3_finalize(file->commit);
    sqlite3_finalize(file->put);
    sqlite3_finalize(file->find);
    shelf_slots_close(&file->slots);
    sqlite3_finalize(file->take);
    sqlite3_close_v2(file->db);
    sealer_free(file->sealer);
    sealer_free(file->old_sealer);
    secret_free(file->key);
    OPENSSL_free(file->sealed);
    OPENSSL_free(file->path);
    OPENSSL_free(file->kme_id);
    OPENSSL_free(file);
}

struct shelf_file *shelf_file_open(OSSL_LIB_CTX *libctx, const char *kme_id, const char *path,
                                   const char *key_file, struct status *status)
{
    struct shelf_file *file = OPENSSL_zalloc(sizeof(*file));

    if (file == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for the store");
        return NULL;
    }
    file->libctx = libctx;
    file->path = OPENSSL_strdup(path);
    file->kme_id = OPENSSL_strdup(kme_id);
    file->sealed = OPENSSL_malloc(SHELF_OCTETS_MAX + SEAL_OVERHEAD_BYTES);
    if (file->path == NULL || file->kme_id == NULL || file->sealed == NULL)
        status_fail(status, OUTCOME_INTERNAL, "out of memory for the store");
    else if (key_file == NULL || (file->key = seal_read_key_file(key_file, status)) != NULL)
        if (make_private(path, status) && use(file, key_file, status))
            return file;
    release(file);
    return NULL;
}

bool shelf_file_close(struct shelf_file *file, struct status *status)
{
    bool done;

    if (file == NULL)
        return true;
    if (sqlite3_get_autocommit(file->db) == 0)
        sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
    done = shelf_file_scrub(file, status);
    release(file);
    return done;
}
