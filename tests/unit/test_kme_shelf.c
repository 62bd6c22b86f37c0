/* SPDX-License-Identifier: Apache-2.0 */
/* kme/shelf.h: what settled is there after a restart, what was taken is not, and not in the files
 * either; what fills the queue is refused. */
#include "tests/unit/shelf_world.h"

/* Listens to one shelf. */
struct listener {
    struct shelf *shelf;
    void *leaves; /* on the first event this one unsubscribes */
    uint64_t ticket;
    int events;
};

static void on_settled(void *arg, uint64_t ticket)
{
    struct listener *listener = arg;

    assert_true(ticket > listener->ticket);
    listener->ticket = ticket;
    listener->events++;
    if (listener->leaves != NULL)
        shelf_unsubscribe(listener->shelf, listener->leaves);
}

static const struct shelf_events listening = {on_settled, NULL};

static void test_what_settled_is_there_again(void **state)
{
    static const size_t lengths[] = {0, 1, 7, 8, 4096, 6144, 65536, SHELF_OCTETS_MAX};
    struct world *world = *state;
    struct found found;
    struct shelf_counts counts;
    struct stat about;
    uint64_t ticket = 0;

    for (int sealed = 0; sealed < 2; sealed++) {
        const char *key_file = sealed ? world->key_file : NULL;

        world_open(world, key_file);
        world_load(world, &found);
        assert_int_equal(found.count, 0);
        for (uint32_t i = 0; i < COUNT_OF(lengths); i++) {
            uint64_t next = world_put(world, 100 - i, lengths[i]);

            assert_true(next > (i == 0 ? 0 : ticket));
            ticket = next;
        }
        world_settle(world, ticket);
        shelf_counts(world->shelf, &counts);
        assert_int_equal(counts.items, COUNT_OF(lengths));
        assert_true(counts.transactions > 0 && counts.file_bytes > SHELF_OCTETS_MAX);
        world_close(world);
        assert_int_equal(stat(world->path, &about), 0);
        assert_int_equal(about.st_mode & 07777, 0600);
        for (int again = 0; again < 2; again++) {
            world_open(world, key_file);
            world_load(world, &found);
            assert_int_equal(found.count, COUNT_OF(lengths));
            for (uint32_t i = 0; i < COUNT_OF(lengths); i++) {
                assert_int_equal(found.numbers[i], 100 - i);
                assert_int_equal(found.lengths[i], lengths[i]);
            }
            world_close(world);
        }
        assert_int_equal(unlink(world->path), 0);
    }
}

static void test_kinds_and_peers_are_apart(void **state)
{
    struct world *world = *state;
    struct key_id id = world_id(1);
    struct status status = STATUS_INIT;
    struct found found = {.count = 0};

    world_open(world, world->key_file);
    assert_true(shelf_put(world->shelf, SHELF_KEY, "kme-b", &id, "key", 3) > 0);
    assert_true(shelf_put(world->shelf, SHELF_SEGMENT, "kme-c", &id, "c", 1) > 0);
    assert_true(world_put(world, 1, 16) > 0);
    world_close(world);
    world_open(world, world->key_file);
    assert_true(shelf_load(world->shelf, SHELF_SEGMENT, "kme-b", world_note, &found, &status));
    assert_int_equal(found.count, 1);
    assert_int_equal(found.lengths[0], 16);
    assert_true(shelf_load(world->shelf, SHELF_OPENED, NULL, world_note, &found, &status));
    assert_true(shelf_load(world->shelf, SHELF_SEGMENT, "kme-d", world_note, &found, &status));
    assert_int_equal(found.count, 1);
    assert_true(shelf_take(world->shelf, SHELF_SEGMENT, "kme-c", &id) > 0);
    assert_true(shelf_take(world->shelf, SHELF_KEY, "kme-b", &id) > 0);
    world_close(world);
    world_open(world, world->key_file);
    found.count = 0;
    assert_true(shelf_load(world->shelf, SHELF_KEY, NULL, world_note, &found, &status));
    assert_int_equal(found.count, 0);
    world_load(world, &found);
    assert_int_equal(found.count, 1);
    world_close(world);
}

static void test_a_put_replaces_and_goes_to_the_end(void **state)
{
    struct world *world = *state;
    struct found found;

    world_open(world, world->key_file);
    assert_true(world_put(world, 1, 8) > 0);
    assert_true(world_put(world, 2, 8) > 0);
    assert_true(world_put(world, 1, 24) > 0);
    world_close(world);
    world_open(world, world->key_file);
    world_load(world, &found);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.numbers[0], 2);
    assert_int_equal(found.numbers[1], 1);
    assert_int_equal(found.lengths[1], 24);
    world_close(world);
}

static void test_what_was_taken_is_gone(void **state)
{
    struct world *world = *state;
    struct found found;
    uint64_t ticket = 0;

    world_open(world, world->key_file);
    for (uint32_t i = 0; i < 100; i++)
        assert_true(world_put(world, i, 512) > 0);
    for (uint32_t i = 0; i < 100; i += 2)
        ticket = world_take(world, i);
    ticket = world_take(world, 100000); /* was never there */
    world_settle(world, ticket);
    world_close(world);
    world_open(world, world->key_file);
    world_load(world, &found);
    assert_int_equal(found.count, 50);
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(found.numbers[i], 2 * i + 1);
    world_close(world);
}

static void test_a_refused_operation_undoes_its_transaction(void **state)
{
    struct world *world = *state;
    struct found found;
    struct key_id id = world_id(9);
    uint64_t last;

    world_open(world, world->key_file);
    last = world_put(world, 1, 8);
    world_settle(world, last);
    shelf_begin(world->shelf);
    assert_true(world_put(world, 2, 8) > last);
    assert_true(world_take(world, 1) > 0);
    shelf_begin(world->shelf);
    assert_int_equal(shelf_put(world->shelf, SHELF_SEGMENT, "kme-b", &id, "", SHELF_OCTETS_MAX + 1),
                     0);
    assert_int_equal(shelf_end(world->shelf), 0);
    assert_true(world_put(world, 3, 8) > last);
    assert_int_equal(shelf_end(world->shelf), 0);
    shelf_begin(world->shelf);
    assert_int_equal(shelf_end(world->shelf), 0);
    shelf_begin(world->shelf);
    last = world_put(world, 4, 8);
    assert_int_equal(shelf_settled(world->shelf), 1);
    assert_int_equal(shelf_end(world->shelf), last);
    world_settle(world, last);
    world_close(world);
    world_open(world, world->key_file);
    world_load(world, &found);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.numbers[0], 1);
    assert_int_equal(found.numbers[1], 4);
    world_close(world);
}

static void test_a_full_queue_refuses(void **state)
{
    struct world *world = *state;
    struct found found;
    uint32_t count = 0;
    size_t bytes = 0;

    world_open(world, NULL);
    shelf_begin(world->shelf);
    while (world_put(world, count, SHELF_OCTETS_MAX) > 0) {
        count++;
        bytes += SHELF_OCTETS_MAX;
        assert_true(bytes < SHELF_QUEUE_MAX_BYTES);
    }
    assert_true(bytes > SHELF_QUEUE_MAX_BYTES - 3 * SHELF_OCTETS_MAX);
    assert_int_equal(shelf_end(world->shelf), 0);
    assert_true(world_put(world, 7, 8) > 0);
    world_close(world);
    world_open(world, NULL);
    world_load(world, &found);
    assert_int_equal(found.count, 1);
    world_close(world);
}

static void test_everybody_hears_of_it(void **state)
{
    struct world *world = *state;
    struct listener one = {.events = 0}, two = {.events = 0}, three = {.events = 0};
    uint64_t ticket;

    world_open(world, NULL);
    one.shelf = world->shelf;
    one.leaves = &two;
    assert_true(shelf_subscribe(world->shelf, &listening, &one));
    assert_true(shelf_subscribe(world->shelf, &listening, &two));
    assert_true(shelf_subscribe(world->shelf, &listening, &three));
    ticket = world_put(world, 1, 8);
    world_settle(world, ticket);
    assert_int_equal(one.events, 1);
    assert_int_equal(two.events, 0);
    assert_int_equal(three.events, 1);
    assert_int_equal(three.ticket, ticket);
    shelf_unsubscribe(world->shelf, &three);
    ticket = world_take(world, 1);
    world_settle(world, ticket);
    assert_int_equal(one.events, 2);
    assert_int_equal(one.ticket, ticket);
    assert_int_equal(three.events, 1);
    world_close(world);
}

static void wait_for_no_marks(const struct world *world, uint32_t from, uint32_t to)
{
    for (int tries = 0; tries < 400; tries++) {
        if (world_count_marks(world->path, from, to) + world_count_marks(world->log, from, to) == 0)
            return;
        usleep(50000);
    }
    fail_msg("%zu and %zu marks are left", world_count_marks(world->path, from, to),
             world_count_marks(world->log, from, to));
}

/* Not sealed, for here the octets can be told from others: items of many sizes come and go. */
static void test_nothing_taken_is_left_in_the_files(void **state)
{
    enum { ITEMS = 1200, DEAD_FROM = 0, DEAD_TO = 1000 };
    static const size_t sizes[] = {32, 200, 1000, 3000, 6144, 9000, 20000};
    struct world *world = *state;
    uint64_t ticket = 0;

    world_open(world, NULL);
    for (uint32_t i = 0; i < ITEMS; i++) {
        ticket = world_put(world, i, sizes[i * 7919 % COUNT_OF(sizes)]);
        if (i % 3 == 2)
            ticket = world_take(world, (i * 31) % 1000);
        if (i % 100 == 0)
            world_settle(world, ticket);
    }
    world_settle(world, ticket);
    assert_true(world_count_marks(world->log, 0, ITEMS) + world_count_marks(world->path, 0, ITEMS) >
                0);
    for (uint32_t i = DEAD_FROM; i < DEAD_TO; i++)
        ticket = world_take(world, (i * 17) % 1000);
    world_settle(world, ticket);
    wait_for_no_marks(world, DEAD_FROM, DEAD_TO);
    assert_true(world_count_marks(world->path, DEAD_TO, ITEMS) > 0);
    for (uint32_t i = DEAD_TO; i < ITEMS; i++)
        ticket = world_take(world, i);
    world_close(world);
    assert_int_equal(world_count_marks(world->path, 0, ITEMS), 0);
    assert_int_not_equal(access(world->log, F_OK), 0);
}

/* Without another operation, and after a crash of the process: at the next start. */
static void test_a_quiet_store_is_cleaned_up(void **state)
{
    struct world *world = *state;

    world_open(world, NULL);
    assert_true(world_put(world, 1, 3000) > 0);
    world_settle(world, world_put(world, 2, 3000));
    assert_true(world_count_marks(world->log, 1, 2) > 0);
    world_settle(world, world_take(world, 1));
    wait_for_no_marks(world, 1, 2);
    assert_true(world_count_marks(world->path, 2, 3) > 0);
    world_close(world);
}

/* Sealed octets that were taken are overwritten, too. */
static void test_nothing_sealed_is_left_in_the_files(void **state)
{
    enum { SAMPLE = 32 };
    struct world *world = *state;
    size_t before, after, seen = 0, left = 0;
    uint8_t *old, *new;

    world_open(world, world->key_file);
    assert_true(world_put(world, 1, 6144) > 0);
    world_close(world);
    assert_int_equal(world_count_marks(world->path, 0, 10), 0);
    old = world_read(world->path, &before);
    world_open(world, world->key_file);
    assert_true(world_take(world, 1) > 0);
    world_close(world);
    new = world_read(world->path, &after);
    for (size_t at = 0; at + SAMPLE <= before; at += SAMPLE) {
        int high = 0, zero = 0;

        for (size_t i = 0; i < SAMPLE; i++) {
            high += old[at + i] >= 0x80;
            zero += old[at + i] == 0;
        }
        if (high < SAMPLE / 8 || zero > SAMPLE / 8) /* text or structure, not sealed octets */
            continue;
        seen++;
        left += memmem(new, after, old + at, SAMPLE) != NULL;
    }
    assert_true(seen >= 6144 / SAMPLE - 8);
    assert_true(left <= 8); /* salt and proof of the generation before */
    OPENSSL_free(old);
    OPENSSL_free(new);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_settled_is_there_again),
        TEST(test_kinds_and_peers_are_apart),
        TEST(test_a_put_replaces_and_goes_to_the_end),
        TEST(test_what_was_taken_is_gone),
        TEST(test_a_refused_operation_undoes_its_transaction),
        TEST(test_a_full_queue_refuses),
        TEST(test_everybody_hears_of_it),
        TEST(test_nothing_taken_is_left_in_the_files),
        TEST(test_a_quiet_store_is_cleaned_up),
        TEST(test_nothing_sealed_is_left_in_the_files),
    };

    return RUN_TESTS(tests);
}
