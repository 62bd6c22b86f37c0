/* SPDX-License-Identifier: Apache-2.0 */
/* kme/rate_meter.h: growth per second over a sliding window. */
#include "unit.h"

#include "kme/rate_meter.h"

#define S INT64_C(1000000000)

static void test_nothing_is_known_before_two_samples(void **state)
{
    struct rate_meter meter = {0};

    (void)state;
    assert_int_equal(rate_meter_per_s(&meter), 0);
    rate_meter_sample(&meter, 5 * S, 1000000);
    assert_int_equal(rate_meter_per_s(&meter), 0);
    rate_meter_sample(&meter, 6 * S, 1000700);
    assert_int_equal(rate_meter_per_s(&meter), 700);
}

static void test_uneven_samples_give_the_mean(void **state)
{
    struct rate_meter meter = {0};

    (void)state;
    rate_meter_sample(&meter, 1 * S, 0);
    rate_meter_sample(&meter, 1 * S + S / 2, 1000);
    rate_meter_sample(&meter, 5 * S, 4000);
    assert_int_equal(rate_meter_per_s(&meter), 1000);
}

static void test_what_is_older_than_the_window_is_forgotten(void **state)
{
    struct rate_meter meter = {0};
    uint64_t value = 0;

    (void)state;
    for (int second = 0; second < 100; second++)
        rate_meter_sample(&meter, second * S, value += 1000);
    for (int second = 100; second < 100 + RATE_METER_SAMPLES; second++)
        rate_meter_sample(&meter, second * S, value);
    assert_int_equal(rate_meter_per_s(&meter), 0);
}

static void test_two_samples_at_one_moment_do_no_harm(void **state)
{
    struct rate_meter meter = {0};

    (void)state;
    rate_meter_sample(&meter, S, 1);
    rate_meter_sample(&meter, S, 2);
    assert_int_equal(rate_meter_per_s(&meter), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_known_before_two_samples),
        cmocka_unit_test(test_uneven_samples_give_the_mean),
        cmocka_unit_test(test_what_is_older_than_the_window_is_forgotten),
        cmocka_unit_test(test_two_samples_at_one_moment_do_no_harm),
    };

    return RUN_TESTS(tests);
}
