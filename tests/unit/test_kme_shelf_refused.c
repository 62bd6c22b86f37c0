/* SPDX-License-Identifier: Apache-2.0 */
/* kme/shelf.h: which files are refused, and what is done about damage in one. */
#include <sqlite3.h>
#include <sys/wait.h>

#include "tests/unit/shelf_world.h"

/* Changes the file behind the shelf's back. */
static void alter(const struct world *world, const char *text)
{
    sqlite3 *db = NULL;
    char *error = NULL;

    assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    assert_true(sqlite3_total_changes(db) > 0 || strstr(text, "PRAGMA") != NULL);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void make_with(struct world *world, const char *key_file, uint32_t items)
{
    world_open(world, key_file);
    for (uint32_t i = 0; i < items; i++)
        assert_true(world_put(world, i, 3000) > 0);
    world_close(world);
}

static void test_key_files_must_be_that_of_the_store(void **state)
{
    struct world *world = *state;
    char other[TEMP_PATH_BYTES], none[TEMP_PATH_BYTES];

    world_write_key(world, "other", 2);
    temp_path(&world->folder, "other", other);
    temp_path(&world->folder, "none", none);
    world_refused(world, none, "is missing: bring back the one that the store was sealed with");
    assert_int_not_equal(access(world->path, F_OK), 0);
    make_with(world, world->key_file, 1);
    world_refused(world, other, "was sealed with another key file than");
    world_refused(world, none, "is missing");
    world_refused(world, NULL, "is sealed: name the key file");
    assert_int_equal(chmod(world->key_file, 0640), 0);
    world_refused(world, world->key_file, "is open to others (mode 0640): chmod 600");
    assert_int_equal(chmod(world->key_file, 0600), 0);
    make_with(world, world->key_file, 1);
}

static void test_a_store_without_a_seal_takes_no_key_file(void **state)
{
    struct world *world = *state;

    make_with(world, NULL, 1);
    world_refused(world, world->key_file, "was written without a key file");
    make_with(world, NULL, 1);
}

static void test_the_store_of_another_key_server(void **state)
{
    static char other[] = "kme-b";
    struct world *world = *state;

    make_with(world, world->key_file, 1);
    world->config.kme_id = other;
    world_refused(world, world->key_file, "is of key server 'kme-a', not of 'kme-b'");
    world->config.kme_id = world_kme_id;
    make_with(world, world->key_file, 1);
}

static void test_files_that_are_something_else(void **state)
{
    struct world *world = *state;
    char text[2000];

    memset(text, 'x', sizeof(text));
    temp_write(&world->folder, "store.db", text, sizeof(text));
    world_refused(world, NULL, "is not a store of qkd-kme");
    assert_int_equal(unlink(world->path), 0);
    alter(world, "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    world_refused(world, NULL, "is not a store of qkd-kme");
    assert_int_equal(unlink(world->path), 0);
    assert_int_equal(mkdir(world->path, 0700), 0);
    world_refused(world, NULL, "cannot open the store");
    assert_int_equal(rmdir(world->path), 0);
    assert_int_equal(mkfifo(world->path, 0600), 0);
    world_refused(world, NULL, "is not a regular file");
    assert_int_equal(unlink(world->path), 0);
    snprintf(world->path, sizeof(world->path), "%.200s/none/x.db", world->folder.folder);
    world_refused(world, NULL, "No such file or directory");
}

static void test_a_newer_version(void **state)
{
    struct world *world = *state;

    make_with(world, NULL, 1);
    alter(world, "PRAGMA user_version = 2");
    world_refused(world, NULL, "is of version 2, and this qkd-kme knows version 1");
}

static void test_a_file_that_others_could_read_is_closed_to_them(void **state)
{
    struct world *world = *state;
    struct stat about;

    make_with(world, NULL, 1);
    assert_int_equal(chmod(world->path, 0644), 0);
    make_with(world, NULL, 1);
    assert_int_equal(stat(world->path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
}

/* Another process has it open until it is told. */
static void test_a_store_in_use(void **state)
{
    struct world *world = *state;
    int ready[2], done[2], code;
    char octet;
    pid_t child;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(done), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct status status = STATUS_INIT;

        close(done[1]);
        world->shelf = shelf_open(&world->env, world->path, NULL, &status);
        octet = world->shelf != NULL;
        (void)!write(ready[1], &octet, 1);
        (void)!read(done[0], &octet, 1);
        _exit(shelf_close(world->shelf, &status) ? 0 : 1);
    }
    assert_int_equal(read(ready[0], &octet, 1), 1);
    assert_int_equal(octet, 1);
    world_refused(world, NULL, "is used by another process");
    close(done[1]);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    close(done[0]);
    close(ready[0]);
    close(ready[1]);
    make_with(world, NULL, 1);
}

static void assert_left(struct world *world, const uint32_t *numbers, size_t count, size_t damaged)
{
    struct found found;
    struct shelf_counts counts;

    for (int again = 0; again < 2; again++) {
        world_open(world, world->key_file);
        world_load(world, &found);
        assert_int_equal(found.count, count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(found.numbers[i], numbers[i]);
        shelf_counts(world->shelf, &counts);
        assert_int_equal(counts.damaged_items, again == 0 ? damaged : 0);
        assert_int_equal(counts.damaged_bytes, again == 0 ? 3000 * damaged : 0);
        assert_int_equal(counts.items, count);
        world_close(world);
    }
}

static void test_damaged_items_are_removed(void **state)
{
    static const uint32_t left[] = {0, 2, 4}, last[] = {0};
    struct world *world = *state;

    make_with(world, world->key_file, 5);
    alter(world, "UPDATE slot SET octets = zeroblob(1000) WHERE number = 7;" /* of item 1 */
                 "UPDATE item SET kind = 0, peer = 'kme-c' WHERE row = 4;"); /* item 3 */
    assert_left(world, left, COUNT_OF(left), 2);
    alter(world, "UPDATE item SET generation = 77 WHERE row = 3;"
                 "UPDATE item SET length = 2999 WHERE row = 5;");
    world_open(world, world->key_file);
    world_close(world);
    alter(world, "UPDATE item SET length = 3000 WHERE row = 5;"
                 "UPDATE item SET generation = 88 WHERE row = 5;");
    assert_left(world, last, COUNT_OF(last), 2);
}

static void test_an_item_cannot_take_the_place_of_another(void **state)
{
    static const uint32_t left[] = {2};
    struct world *world = *state;

    make_with(world, world->key_file, 3);
    alter(world, "UPDATE item SET slots = (SELECT slots FROM item WHERE row = 2) WHERE row = 1;"
                 "DELETE FROM item WHERE row = 2;");
    alter(world, "UPDATE item SET id = (SELECT id FROM item WHERE row = 3) WHERE row = 9;"
                 "UPDATE item SET generation = generation WHERE row = 1;");
    assert_left(world, left, COUNT_OF(left), 1);
}

static void test_places_claimed_twice_are_damage(void **state)
{
    struct world *world = *state;

    make_with(world, world->key_file, 3);
    alter(world, "UPDATE item SET slots = (SELECT slots FROM item WHERE row = 2) WHERE row = 1;");
    world_refused(world, world->key_file, "is damaged (two items claim the same place): move it");
}

static void test_damaged_pages(void **state)
{
    struct world *world = *state;
    uint8_t octets[4096];
    FILE *file;
    size_t length;

    make_with(world, world->key_file, 40);
    OPENSSL_free(world_read(world->path, &length));
    assert_true(length > 8 * sizeof(octets));
    memset(octets, 0x5a, sizeof(octets));
    file = fopen(world->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4096L * 5, SEEK_SET), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fwrite(octets, 1, sizeof(octets), file), sizeof(octets));
    assert_int_equal(fclose(file), 0);
    world_refused(world, world->key_file, "is damaged (");
}

static void test_a_torn_file(void **state)
{
    struct world *world = *state;
    size_t length;

    make_with(world, world->key_file, 40);
    OPENSSL_free(world_read(world->path, &length));
    assert_int_equal(truncate(world->path, (off_t)(length / 2)), 0);
    world_refused(world, world->key_file, "is damaged (");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_key_files_must_be_that_of_the_store),
        TEST(test_a_store_without_a_seal_takes_no_key_file),
        TEST(test_the_store_of_another_key_server),
        TEST(test_files_that_are_something_else),
        TEST(test_a_newer_version),
        TEST(test_a_file_that_others_could_read_is_closed_to_them),
        TEST(test_a_store_in_use),
        TEST(test_damaged_items_are_removed),
        TEST(test_an_item_cannot_take_the_place_of_another),
        TEST(test_places_claimed_twice_are_damage),
        TEST(test_damaged_pages),
        TEST(test_a_torn_file),
    };

    return RUN_TESTS(tests);
}
