/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/in_child.h"

#include <stdatomic.h>

#include "keys/guard.h"

static const int64_t S = 1000000000, MS = 1000000, NOW = 5000000000;

static void a_burst_goes_at_once_and_the_rest_in_order(void **state)
{
    struct guard *guard = guard_new(10, 3);

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 0), 0);
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, S), 100 * MS);
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, S), 200 * MS);
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW + 50 * MS, S), 250 * MS);
    guard_free(guard);
}

static void a_turn_refused_takes_nothing(void **state)
{
    struct guard *guard = guard_new(10, 1);

    (void)state;
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 0), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 100 * MS - 1), -1);
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 100 * MS), 100 * MS);
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW + 200 * MS - 1, 0), -1);
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW + 200 * MS, 0), 0);
    guard_free(guard);
}

static void a_long_rest_is_worth_one_burst(void **state)
{
    struct guard *guard = guard_new(10, 5);
    int turns = 0;

    (void)state;
    while (guard_turn(guard, GUARD_CLAIM, NOW, 0) == 0)
        turns++;
    assert_int_equal(turns, 5);
    while (guard_turn(guard, GUARD_CLAIM, NOW + 3600 * S, 0) == 0)
        turns++;
    assert_int_equal(turns, 10);
    guard_free(guard);
}

/* In any rate: attempts all the time get the burst and no more than the rate allows. */
static void over_ten_seconds_the_rate_is_kept(void **state)
{
    static const struct {
        int per_second, burst;
        int most, least;
    } rows[] = {
        {1, 1, 11, 10},         {3, 1, 31, 30},  {7, 20, 91, 89},
        {1000, 1, 10001, 9990}, {0, -5, 11, 10}, /* taken to 1 and 1 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct guard *guard = guard_new(rows[i].per_second, rows[i].burst);
        int turns = 0;

        for (int64_t at = 0; at <= 10 * S; at += MS / 4)
            turns += guard_turn(guard, GUARD_CLAIM, NOW + at, 0) == 0;
        if (turns > rows[i].most || turns < rows[i].least)
            fail_msg("%d turns with %d per second", turns, rows[i].per_second);
        guard_free(guard);
    }
}

static void the_largest_values_do_not_overflow(void **state)
{
    static const struct {
        int per_second, burst;
    } rows[] = {{1, GUARD_RATE_MAX}, {GUARD_RATE_MAX, GUARD_RATE_MAX}, {INT32_MAX, INT32_MAX}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct guard *guard = guard_new(rows[i].per_second, rows[i].burst);

        for (int j = 0; j < GUARD_RATE_MAX; j++)
            assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 0), 0);
        assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 0), -1);
        guard_free(guard);
    }
}

static void keys_that_are_used_are_not_counted(void **state)
{
    struct guard *guard = guard_new(1, 2);

    (void)state;
    guard_good(guard, GUARD_CLAIM); /* of no turn: counts for nothing */
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(guard_turn(guard, GUARD_RESERVE, NOW, 0), 0);
        guard_good(guard, GUARD_RESERVE);
    }
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 0), 0);
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 0), 0);
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 0), -1);
    guard_free(guard);
}

static void waste(struct guard *guard, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(guard_turn(guard, GUARD_RESERVE, NOW, 0), 0);
        guard_wasted(guard);
    }
}

static void too_much_waste_slows_reservations_until_one_is_used(void **state)
{
    struct guard *guard = guard_new(GUARD_RATE_MAX, GUARD_RATE_MAX);
    const int64_t pause = S / GUARD_WASTE_PER_SECOND;

    (void)state;
    waste(guard, GUARD_WASTE_MAX);
    assert_int_equal(guard_turn(guard, GUARD_RESERVE, NOW, 0), 0);
    assert_int_equal(guard_turn(guard, GUARD_RESERVE, NOW, 0), -1);
    assert_int_equal(guard_turn(guard, GUARD_RESERVE, NOW, pause), -1); /* nobody waits */
    assert_int_equal(guard_turn(guard, GUARD_RESERVE, NOW + pause, 0), 0);
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 0), 0);
    guard_good(guard, GUARD_CLAIM); /* says nothing about reservations */
    assert_int_equal(guard_turn(guard, GUARD_RESERVE, NOW + pause, 0), -1);
    guard_good(guard, GUARD_RESERVE);
    waste(guard, GUARD_WASTE_MAX - 1);
    assert_int_equal(guard_turn(guard, GUARD_RESERVE, NOW, 0), 0);
    guard_free(guard);
}

static void what_the_waste_rule_refuses_costs_no_turn(void **state)
{
    struct guard *guard = guard_new(1, GUARD_WASTE_MAX + 2);

    (void)state;
    waste(guard, GUARD_WASTE_MAX);
    assert_int_equal(guard_turn(guard, GUARD_RESERVE, NOW, 0), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(guard_turn(guard, GUARD_RESERVE, NOW, 0), -1);
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 0), 0);
    assert_int_equal(guard_turn(guard, GUARD_CLAIM, NOW, 0), -1);
    guard_free(guard);
}

static void retries_in_vain_use_up_their_credit(void **state)
{
    struct guard *guard = guard_new(1, 1);

    (void)state;
    for (int i = 0; i < GUARD_RETRY_CREDITS; i++) {
        assert_true(guard_may_retry(guard, NOW));
        guard_retry_failed(guard, NOW);
    }
    assert_false(guard_may_retry(guard, NOW));
    for (int i = 0; i < 100; i++)
        guard_retry_failed(guard, NOW); /* no debt */
    assert_false(guard_may_retry(guard, NOW + S - 1));
    assert_true(guard_may_retry(guard, NOW + S));
    guard_retry_failed(guard, NOW + S);
    assert_false(guard_may_retry(guard, NOW + S));
    guard_free(guard);
}

enum { ATTEMPTS = 20000, BURST = 1000 };

struct crowd {
    struct guard *guard;
    atomic_int turns, good;
};

static void *ask_often(void *argument)
{
    struct crowd *crowd = argument;

    for (int i = 0; i < ATTEMPTS; i++) {
        if (guard_turn(crowd->guard, GUARD_CLAIM, NOW, 0) != 0)
            continue;
        atomic_fetch_add(&crowd->turns, 1);
        if (i % 3 == 0) {
            guard_good(crowd->guard, GUARD_CLAIM);
            atomic_fetch_add(&crowd->good, 1);
        }
    }
    return NULL;
}

static void many_threads_get_the_burst_and_what_was_given_back(void **state)
{
    struct crowd crowd = {.guard = guard_new(1, BURST)};

    (void)state;
    in_threads(ask_often, &crowd);
    assert_int_equal(crowd.turns - crowd.good, BURST);
    guard_free(crowd.guard);
}

static void *ask_once(void *argument)
{
    struct crowd *crowd = argument;

    if (guard_turn(crowd->guard, GUARD_CLAIM, NOW, 0) == 0)
        atomic_fetch_add(&crowd->turns, 1);
    return NULL;
}

static int child_of_a_spent_guard(void *argument)
{
    struct guard *guard = argument;
    int turns = 0;

    if (!guard_may_retry(guard, NOW))
        return 1;
    while (guard_turn(guard, GUARD_RESERVE, NOW, 0) == 0)
        turns++;
    return turns == GUARD_WASTE_MAX ? 0 : 2;
}

static void a_forked_child_has_a_bucket_of_its_own(void **state)
{
    struct crowd crowd = {.guard = guard_new(1, GUARD_WASTE_MAX)};

    (void)state;
    waste(crowd.guard, GUARD_WASTE_MAX);
    for (int i = 0; i < GUARD_RETRY_CREDITS; i++)
        guard_retry_failed(crowd.guard, NOW);
    assert_int_equal(in_child(child_of_a_spent_guard, crowd.guard), 0);
    in_threads(ask_once, &crowd);
    assert_int_equal(crowd.turns, 0);
    assert_false(guard_may_retry(crowd.guard, NOW));
    guard_free(crowd.guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_goes_at_once_and_the_rest_in_order),
        cmocka_unit_test(a_turn_refused_takes_nothing),
        cmocka_unit_test(a_long_rest_is_worth_one_burst),
        cmocka_unit_test(over_ten_seconds_the_rate_is_kept),
        cmocka_unit_test(the_largest_values_do_not_overflow),
        cmocka_unit_test(keys_that_are_used_are_not_counted),
        cmocka_unit_test(too_much_waste_slows_reservations_until_one_is_used),
        cmocka_unit_test(what_the_waste_rule_refuses_costs_no_turn),
        cmocka_unit_test(retries_in_vain_use_up_their_credit),
        cmocka_unit_test(many_threads_get_the_burst_and_what_was_given_back),
        cmocka_unit_test(a_forked_child_has_a_bucket_of_its_own),
    };

    return RUN_TESTS(tests);
}
