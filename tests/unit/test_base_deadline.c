/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <limits.h>
#include <poll.h>

#include "base/deadline.h"

static void nothing_is_left_of_a_deadline_now_or_in_the_past(void **state)
{
    struct deadline now = deadline_in_ms(0), past = deadline_in_ms(-1000);

    (void)state;
    assert_true(deadline_passed(&now));
    assert_int_equal(deadline_left_ms(&now), 0);
    assert_true(deadline_passed(&past));
    assert_int_equal(deadline_left_ms(&past), 0);
}

static void what_is_left_is_rounded_up_and_never_exceeds_the_budget(void **state)
{
    struct deadline deadline = deadline_in_ms(60000);
    struct deadline soon = {monotonic_ns() + 3600 * INT64_C(1000000000) + 1};
    int first = deadline_left_ms(&deadline), second = deadline_left_ms(&deadline);

    (void)state;
    assert_false(deadline_passed(&deadline));
    assert_in_range(first, 1, 60000);
    assert_true(second <= first);
    assert_in_range(deadline_left_ms(&soon), 1, 3600001);
}

static void a_fraction_of_a_millisecond_is_still_something(void **state)
{
    struct deadline deadline;
    int64_t before;

    (void)state;
    /* The clock goes on between the two calls, so look again until it was quick enough. */
    for (int i = 0; i < 1000; i++) {
        deadline.at_ns = monotonic_ns() + 500000;
        if (deadline_left_ms(&deadline) == 1)
            return;
        before = monotonic_ns();
        assert_true(before > deadline.at_ns - 500000);
    }
    fail_msg("half a millisecond never counted as one");
}

static void a_far_deadline_fits_an_int(void **state)
{
    struct deadline deadline = deadline_in_ms((int64_t)INT_MAX * 1000);

    (void)state;
    assert_int_equal(deadline_left_ms(&deadline), INT_MAX);
}

static void waiting_uses_it_up(void **state)
{
    struct deadline deadline = deadline_in_ms(5);

    (void)state;
    while (!deadline_passed(&deadline))
        poll(NULL, 0, deadline_left_ms(&deadline));
    assert_true(monotonic_ns() >= deadline.at_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_of_a_deadline_now_or_in_the_past),
        cmocka_unit_test(what_is_left_is_rounded_up_and_never_exceeds_the_budget),
        cmocka_unit_test(a_fraction_of_a_millisecond_is_still_something),
        cmocka_unit_test(a_far_deadline_fits_an_int),
        cmocka_unit_test(waiting_uses_it_up),
    };

    return RUN_TESTS(tests);
}
