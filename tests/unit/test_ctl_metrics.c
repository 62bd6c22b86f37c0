/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/metrics.h"

static const char text[] = "# HELP keys_total keys delivered 99\n"
                           "# TYPE keys_total counter\n"
                           "keys_total{api=\"014\",role=\"initiator\",sae=\"a b\"} 3\n"
                           "keys_total{api=\"014\",role=\"responder\",sae=\"alice\"} 4\n"
                           "keys_total{api=\"004\",role=\"initiator\",sae=\"alice\"} 50\n"
                           "keys_total_more{role=\"initiator\"} 1000\n"
                           "plain 2.5e3\n"
                           "last{x=\"y\"} 1";

static double sum(const char *name, const char *label, bool expect_found)
{
    bool found = !expect_found;
    double value = metrics_sum(text, name, label, &found);

    assert_int_equal(found, expect_found);
    return value;
}

static void sums_what_has_the_label(void **state)
{
    (void)state;
    assert_true(sum("keys_total", "", true) == 57);
    assert_true(sum("keys_total", "role=\"initiator\"", true) == 53);
    assert_true(sum("keys_total", "sae=\"a b\"", true) == 3);
    assert_true(sum("plain", "", true) == 2500);
    assert_true(sum("last", "", true) == 1);
}

static void what_is_not_there_is_not_found(void **state)
{
    bool found = true;

    (void)state;
    assert_true(sum("keys", "", false) == 0);
    assert_true(sum("keys_total", "role=\"other\"", false) == 0);
    assert_true(metrics_sum("", "plain", "", &found) == 0);
    assert_false(found);
    assert_true(metrics_sum("plain", "plain", "", &found) == 0);
    assert_false(found);
}

static void samples_are_told_by_their_label(void **state)
{
    static const char streams[] = "# TYPE streams gauge\n"
                                  "streams{state=\"both\"} 12\n"
                                  "streams_opened_total 99\n"
                                  "streams{state=\"draining\",x=\"y\"} 3";
    char name[9];
    double value;

    (void)state;
    assert_true(metrics_sample(streams, "streams", "state", 0, name, sizeof(name), &value));
    assert_string_equal(name, "both");
    assert_true(value == 12);
    assert_true(metrics_sample(streams, "streams", "state", 1, name, sizeof(name), &value));
    assert_string_equal(name, "draining");
    assert_true(value == 3);
    assert_false(metrics_sample(streams, "streams", "state", 2, name, sizeof(name), &value));
    assert_false(metrics_sample(streams, "streams", "state", 1, name, 8, &value));
    assert_false(metrics_sample(streams, "streams", "x", 1, name, sizeof(name), &value));
    assert_false(metrics_sample(streams, "opened", "state", 0, name, sizeof(name), &value));
    assert_false(
        metrics_sample(streams, "streams_opened_total", "state", 0, name, sizeof(name), &value));
    assert_false(metrics_sample("", "streams", "state", 0, name, sizeof(name), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_what_has_the_label),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(samples_are_told_by_their_label),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
