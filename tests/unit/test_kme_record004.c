/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "kme/record004.h"
#include "tests/unit/fake_shelf.h"

struct fixture {
    struct shelf shelf;
    struct env env;
    struct burnt004 burnt;
    struct record004 record;
};

static void start(struct fixture *at, bool has_shelf)
{
    struct status status = STATUS_INIT;

    at->env = (struct env){.shelf = has_shelf ? &at->shelf : NULL};
    burnt004_init(&at->burnt);
    at->record = (struct record004){.env = NULL};
    assert_true(record004_load(&at->record, &at->env, &at->burnt, &status));
}

/* The process dies, with what it has not written, and starts again. */
static void crash(struct fixture *at)
{
    fake_shelf_crash(&at->shelf);
    burnt004_free(&at->burnt);
    start(at, true);
}

static void end(struct fixture *at)
{
    burnt004_free(&at->burnt);
    fake_shelf_free(&at->shelf);
}

static struct key_id id_of(unsigned number)
{
    struct key_id id = {.octets = {1, (uint8_t)(number >> 8), (uint8_t)number}};

    return id;
}

static void put_later(struct fixture *at, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        struct key_id id = id_of(i);

        assert_true(record004_put_later(&at->record, &id));
    }
}

static size_t burnt_of(const struct fixture *at, unsigned count)
{
    size_t burnt = 0;

    for (unsigned i = 0; i < count; i++) {
        struct key_id id = id_of(i);

        burnt += burnt004_has(&at->burnt, &id);
    }
    return burnt;
}

static void ids_of_a_peer_reach_the_shelf_together_and_survive_a_crash(void **state)
{
    struct fixture at = {.burnt = {.oldest_first = {NULL, NULL}}};

    (void)state;
    start(&at, true);
    put_later(&at, 0, 100);
    assert_int_equal(at.shelf.queue_count, 0);
    record004_put_waiting(&at.record);
    assert_int_equal(at.shelf.queue_count, 100);
    fake_shelf_work(&at.shelf, 1); /* one transaction: all or none */
    assert_int_equal(at.shelf.item_count, 100);
    record004_put_waiting(&at.record);
    assert_int_equal(at.shelf.queue_count, 0);
    crash(&at);
    assert_int_equal(burnt_of(&at, 100), 100);
    end(&at);
}

static void what_waited_at_a_crash_is_not_on_record(void **state)
{
    struct fixture at = {.burnt = {.oldest_first = {NULL, NULL}}};

    (void)state;
    start(&at, true);
    put_later(&at, 0, 10);
    crash(&at);
    assert_int_equal(burnt_of(&at, 10), 0);
    end(&at);
}

static void no_more_wait_than_fit(void **state)
{
    struct fixture at = {.burnt = {.oldest_first = {NULL, NULL}}};

    (void)state;
    start(&at, true);
    put_later(&at, 0, RECORD004_LATER_MAX + 1);
    assert_int_equal(at.shelf.queue_count, RECORD004_LATER_MAX);
    assert_int_equal(at.record.later_count, 1);
    end(&at);
}

static void a_shelf_that_refuses_loses_none_and_takes_no_more_than_fit(void **state)
{
    struct fixture at = {.burnt = {.oldest_first = {NULL, NULL}}};
    struct key_id one_more = id_of(RECORD004_LATER_MAX);

    (void)state;
    start(&at, true);
    put_later(&at, 0, RECORD004_LATER_MAX);
    at.shelf.refuses = true;
    record004_put_waiting(&at.record);
    assert_false(record004_put_later(&at.record, &one_more));
    at.shelf.refuses = false;
    assert_true(record004_put_later(&at.record, &one_more));
    record004_put_waiting(&at.record);
    fake_shelf_work(&at.shelf, RECORD004_LATER_MAX + 1);
    crash(&at);
    assert_int_equal(burnt_of(&at, RECORD004_LATER_MAX + 1), RECORD004_LATER_MAX + 1);
    end(&at);
}

static void a_clean_end_puts_what_waits_and_erases_what_was_not_used(void **state)
{
    struct fixture at = {.burnt = {.oldest_first = {NULL, NULL}}};

    (void)state;
    start(&at, true);
    record004_start(&at.record, &at.burnt);
    put_later(&at, 0, 3);
    record004_end(&at.record);
    fake_shelf_work(&at.shelf, at.shelf.queue_count);
    assert_int_equal(at.shelf.item_count, 3);
    crash(&at);
    assert_int_equal(burnt_of(&at, 3), 3);
    end(&at);
}

static void without_a_shelf_nothing_is_kept(void **state)
{
    struct fixture at = {.burnt = {.oldest_first = {NULL, NULL}}};

    (void)state;
    start(&at, false);
    put_later(&at, 0, 2 * RECORD004_LATER_MAX);
    record004_put_waiting(&at.record);
    record004_end(&at.record);
    assert_int_equal(at.record.later_count, 0);
    end(&at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_a_peer_reach_the_shelf_together_and_survive_a_crash),
        cmocka_unit_test(what_waited_at_a_crash_is_not_on_record),
        cmocka_unit_test(no_more_wait_than_fit),
        cmocka_unit_test(a_shelf_that_refuses_loses_none_and_takes_no_more_than_fit),
        cmocka_unit_test(a_clean_end_puts_what_waits_and_erases_what_was_not_used),
        cmocka_unit_test(without_a_shelf_nothing_is_kept),
    };

    return RUN_TESTS(tests);
}
