/* SPDX-License-Identifier: Apache-2.0 */
/* kme/histogram.h: where a duration is counted, and what Prometheus reads. */
#include "unit.h"

#include "kme/histogram.h"

#define US INT64_C(1000)
#define S INT64_C(1000000000)

static char *text_of(const struct histogram *histogram, struct buf *buf)
{
    buf_init(buf, 8192);
    histogram_put(histogram, "x_seconds", "api=\"014\"", buf);
    buf_put_u8(buf, 0);
    assert_false(buf->failed);
    return (char *)buf->data;
}

static void test_a_duration_is_in_its_bucket_and_in_all_above(void **state)
{
    struct histogram histogram = {0};
    struct buf buf;
    char *text;

    (void)state;
    histogram_add(&histogram, 50 * US);
    histogram_add(&histogram, 50 * US + 1);
    histogram_add(&histogram, 10 * S);
    histogram_add(&histogram, 10 * S + 1);
    text = text_of(&histogram, &buf);
    assert_contains(text, "x_seconds_bucket{api=\"014\",le=\"0.00005\"} 1\n");
    assert_contains(text, "x_seconds_bucket{api=\"014\",le=\"0.0001\"} 2\n");
    assert_contains(text, "x_seconds_bucket{api=\"014\",le=\"5\"} 2\n");
    assert_contains(text, "x_seconds_bucket{api=\"014\",le=\"10\"} 3\n");
    assert_contains(text, "x_seconds_bucket{api=\"014\",le=\"+Inf\"} 4\n");
    assert_contains(text, "x_seconds_count{api=\"014\"} 4\n");
    assert_contains(text, "x_seconds_sum{api=\"014\"} 20.000100002\n");
    buf_free(&buf);
}

static void test_bounds_rise_and_counts_never_fall(void **state)
{
    struct histogram histogram = {0};
    double bound, last_bound = 0;
    long count, last_count = 0;
    struct buf buf;
    char *line;

    (void)state;
    for (int64_t ns = 1; ns < 100 * S; ns *= 3)
        histogram_add(&histogram, ns);
    line = text_of(&histogram, &buf);
    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        assert_int_equal(
            sscanf(line, "x_seconds_bucket{api=\"014\",le=\"%lf\"} %ld", &bound, &count), 2);
        assert_true(bound > last_bound && count >= last_count);
        last_bound = bound;
        last_count = count;
        line = strchr(line, '\n') + 1;
    }
    assert_true((uint64_t)last_count < histogram_count(&histogram));
    buf_free(&buf);
}

static void test_a_clock_that_stood_still_counts_as_no_time(void **state)
{
    struct histogram histogram = {0};

    (void)state;
    histogram_add(&histogram, -5);
    histogram_add(&histogram, 0);
    assert_int_equal(histogram.counts[0], 2);
    assert_int_equal(histogram.sum_ns, 0);
}

static void test_quantiles_are_upper_bounds(void **state)
{
    struct histogram histogram = {0};

    (void)state;
    assert_int_equal(histogram_quantile_ns(&histogram, 500), -1);
    for (int i = 0; i < 98; i++)
        histogram_add(&histogram, 60 * US);
    histogram_add(&histogram, 900 * US);
    histogram_add(&histogram, 20 * S);
    assert_int_equal(histogram_quantile_ns(&histogram, 500), 100 * US);
    assert_int_equal(histogram_quantile_ns(&histogram, 980), 100 * US);
    assert_int_equal(histogram_quantile_ns(&histogram, 990), 1000 * US);
    assert_int_equal(histogram_quantile_ns(&histogram, 999), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_duration_is_in_its_bucket_and_in_all_above),
        cmocka_unit_test(test_bounds_rise_and_counts_never_fall),
        cmocka_unit_test(test_a_clock_that_stood_still_counts_as_no_time),
        cmocka_unit_test(test_quantiles_are_upper_bounds),
    };

    return RUN_TESTS(tests);
}
