/* SPDX-License-Identifier: Apache-2.0 */
/* A shelf in a temporary folder, its event loop, and what a test wants to know of its files. */
#ifndef QKD_TESTS_UNIT_SHELF_WORLD_H
#define QKD_TESTS_UNIT_SHELF_WORLD_H

#include <sys/stat.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "kme/config.h"
#include "kme/shelf.h"
#include "tests/unit/temp.h"

struct world {
    struct temp folder;
    char path[TEMP_PATH_BYTES];     /* of the database */
    char log[TEMP_PATH_BYTES];      /* its write-ahead log */
    char key_file[TEMP_PATH_BYTES]; /* is there */
    struct kme_config config;
    struct env env;
    struct shelf *shelf;
};

static char world_kme_id[] = "kme-a";

static inline void world_write_key(const struct world *world, const char *name, int octet)
{
    uint8_t octets[32];
    char path[TEMP_PATH_BYTES];

    memset(octets, octet, sizeof(octets));
    temp_write(&world->folder, name, octets, sizeof(octets));
    temp_path(&world->folder, name, path);
    assert_int_equal(chmod(path, 0600), 0);
}

static inline int world_make(void **state)
{
    struct world *world = OPENSSL_zalloc(sizeof(*world));

    assert_non_null(world);
    temp_make(&world->folder);
    temp_path(&world->folder, "store.db", world->path);
    temp_path(&world->folder, "store.db-wal", world->log);
    temp_path(&world->folder, "key", world->key_file);
    world_write_key(world, "key", 1);
    world->config.kme_id = world_kme_id;
    world->env.config = &world->config;
    world->env.base = event_base_new();
    assert_non_null(world->env.base);
    *state = world;
    return 0;
}

static inline int world_remove(void **state)
{
    struct world *world = *state;

    event_base_free(world->env.base);
    temp_remove(&world->folder);
    OPENSSL_free(world);
    return 0;
}

static inline void world_open(struct world *world, const char *key_file)
{
    struct status status = STATUS_INIT;

    world->shelf = shelf_open(&world->env, world->path, key_file, &status);
    if (world->shelf == NULL)
        fail_msg("%s", status.text);
}

static inline void world_close(struct world *world)
{
    struct status status = STATUS_INIT;

    if (!shelf_close(world->shelf, &status))
        fail_msg("%s", status.text);
    world->shelf = NULL;
}

static inline void world_refused(struct world *world, const char *key_file, const char *says)
{
    struct status status = STATUS_INIT;

    assert_null(shelf_open(&world->env, world->path, key_file, &status));
    assert_failed(&status, OUTCOME_CONFIG, says);
    assert_contains(status.text, "/");
}

static inline struct key_id world_id(uint32_t number)
{
    struct key_id id = {{0xa0}};

    memcpy(id.octets + 4, &number, sizeof(number));
    return id;
}

/* Octets that tell wherever they are found whose they are. */
static const char world_mark[4] = "\xf1Qk\xd7";

static inline void world_fill(uint32_t number, uint8_t *octets, size_t length)
{
    for (size_t i = 0; i + 8 <= length; i += 8) {
        memcpy(octets + i, world_mark, 4);
        memcpy(octets + i + 4, &number, 4);
    }
}

static inline uint64_t world_put(struct world *world, uint32_t number, size_t length)
{
    static uint8_t octets[SHELF_OCTETS_MAX];
    struct key_id id = world_id(number);

    memset(octets, 0, length);
    world_fill(number, octets, length);
    return shelf_put(world->shelf, SHELF_SEGMENT, "kme-b", &id, octets, length);
}

static inline uint64_t world_take(struct world *world, uint32_t number)
{
    struct key_id id = world_id(number);

    return shelf_take(world->shelf, SHELF_SEGMENT, "kme-b", &id);
}

/* Runs the event loop until the ticket has settled, or the shelf has failed. */
static inline void world_settle(struct world *world, uint64_t ticket)
{
    struct status status = STATUS_INIT;

    assert_true(ticket > 0);
    while (shelf_settled(world->shelf) < ticket && shelf_ok(world->shelf, &status))
        assert_int_equal(event_base_loop(world->env.base, EVLOOP_ONCE), 0);
}

enum { WORLD_FOUND_MAX = 4096 };

/* What a load gave, in order. */
struct found {
    uint32_t numbers[WORLD_FOUND_MAX];
    size_t lengths[WORLD_FOUND_MAX];
    size_t count;
};

static inline bool world_note(void *arg, const char *peer, const struct key_id *id,
                              const uint8_t *octets, size_t length)
{
    struct found *found = arg;
    uint32_t number;

    assert_string_equal(peer, "kme-b");
    assert_true(found->count < WORLD_FOUND_MAX);
    memcpy(&number, id->octets + 4, sizeof(number));
    for (size_t i = 0; i + 8 <= length; i += 8) {
        assert_memory_equal(octets + i, world_mark, 4);
        assert_memory_equal(octets + i + 4, &number, 4);
    }
    found->numbers[found->count] = number;
    found->lengths[found->count++] = length;
    return true;
}

static inline void world_load(struct world *world, struct found *found)
{
    struct status status = STATUS_INIT;

    found->count = 0;
    if (!shelf_load(world->shelf, SHELF_SEGMENT, NULL, world_note, found, &status))
        fail_msg("%s", status.text);
}

static inline bool found_has(const struct found *found, uint32_t number)
{
    for (size_t i = 0; i < found->count; i++)
        if (found->numbers[i] == number)
            return true;
    return false;
}

/* A whole file; owned by the caller. Absent is empty. */
static inline uint8_t *world_read(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    struct stat about = {0};
    uint8_t *octets;

    if (file != NULL)
        assert_int_equal(fstat(fileno(file), &about), 0);
    octets = OPENSSL_zalloc((size_t)about.st_size + 1);
    assert_non_null(octets);
    *length = file != NULL ? fread(octets, 1, (size_t)about.st_size, file) : 0;
    if (file != NULL)
        fclose(file);
    return octets;
}

/* How often marks of numbers in [from, to) are in a file. */
static inline size_t world_count_marks(const char *path, uint32_t from, uint32_t to)
{
    size_t length, count = 0;
    uint8_t *octets = world_read(path, &length);

    for (size_t i = 0; i + 8 <= length; i++) {
        uint32_t number;

        if (memcmp(octets + i, world_mark, 4) != 0)
            continue;
        memcpy(&number, octets + i + 4, sizeof(number));
        count += number >= from && number < to;
    }
    OPENSSL_clear_free(octets, length + 1);
    return count;
}

#endif
