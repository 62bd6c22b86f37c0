/* SPDX-License-Identifier: Apache-2.0 */
/* What checks of ETSI 004 take for right and wrong: statuses, times, keys. */
#include "tests/unit/unit.h"

#include <string.h>

#include "base/secret.h"
#include "ctl/scene004.h"

static struct reply004 reply_of(enum etsi004_outcome outcome, int64_t took_ms)
{
    return (struct reply004){.outcome = outcome, .took_ms = took_ms};
}

static void a_status_is_compared_and_named(void **state)
{
    struct reply004 reply = reply_of(ETSI004_TIMEOUT, 0);
    struct status status = STATUS_INIT;

    (void)state;
    assert_true(expect_outcome(&reply, ETSI004_TIMEOUT, "GET_KEY", &status));
    assert_int_equal(status.outcome, OUTCOME_OK);
    assert_false(expect_outcome(&reply, ETSI004_INSUFFICIENT_KEY, "GET_KEY", &status));
    assert_non_null(strstr(status.text, "GET_KEY: expected status 2 ("));
    assert_non_null(strstr(status.text, "got 6 ("));
}

static void a_set_of_statuses_is_written_as_a_list(void **state)
{
    static const struct {
        unsigned wanted;
        const char *text;
    } rows[] = {
        {1u << ETSI004_IN_USE, "expected status 5, got"},
        {EITHER(ETSI004_NO_QKD_CONNECTION, ETSI004_IN_USE), "expected status 4 or 5, got"},
        {1u << ETSI004_METADATA_TOO_SMALL | EITHER(ETSI004_INSUFFICIENT_KEY, ETSI004_IN_USE),
         "expected status 2, 5 or 8, got"},
    };
    struct reply004 reply = reply_of(ETSI004_SUCCESS, 0);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct status status = STATUS_INIT;

        assert_false(expect_one_of(&reply, rows[i].wanted, "it", &status));
        assert_non_null(strstr(status.text, rows[i].text));
        assert_true(expect_one_of(&reply, rows[i].wanted | 1u, "it", &status));
    }
}

static void a_stream_with_the_id_of_zeros_is_not_open(void **state)
{
    struct reply004 reply = reply_of(ETSI004_PEER_NOT_YET_CONNECTED, 0);
    struct status status = STATUS_INIT;

    (void)state;
    assert_false(expect_open(&reply, "it", &status));
    assert_non_null(strstr(status.text, "ID of zeros"));
    status_clear(&status);
    reply.stream_id.octets[15] = 1;
    assert_true(expect_open(&reply, "it", &status));
    reply.outcome = ETSI004_QOS_NOT_MET;
    assert_false(expect_open(&reply, "it", &status));
}

/* 10 % or 250 ms, whichever is more, and another 10 %, early; 10 % and three seconds late. */
static void an_answer_at_the_timeout_has_a_tolerance(void **state)
{
    static const struct {
        uint32_t timeout_ms;
        int64_t took_ms;
        bool ok;
    } rows[] = {
        {1000, 0, false},     {1000, 649, false},    {1000, 650, true},    {1000, 1000, true},
        {1000, 4100, true},   {1000, 4101, false},   {10000, 7999, false}, {10000, 8000, true},
        {10000, 14000, true}, {10000, 14001, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reply004 reply = reply_of(ETSI004_TIMEOUT, rows[i].took_ms);
        struct status status = STATUS_INIT;

        assert_int_equal(expect_at_timeout(&reply, rows[i].timeout_ms, "it", &status), rows[i].ok);
        assert_int_equal(status.outcome, rows[i].ok ? OUTCOME_OK : OUTCOME_KME);
    }
}

static void an_answer_at_once_takes_less_than_half_of_the_timeout(void **state)
{
    struct reply004 soon = reply_of(ETSI004_SUCCESS, 499), late = reply_of(ETSI004_SUCCESS, 500);
    struct status status = STATUS_INIT;

    (void)state;
    assert_true(expect_at_once(&soon, 1000, "it", &status));
    assert_false(expect_at_once(&late, 1000, "it", &status));
    assert_non_null(strstr(status.text, "it took 500 ms of a Timeout of 1000 ms"));
}

static void different_octets_are_told_without_showing_them(void **state)
{
    struct secret *one = secret_new(32), *other = secret_new(32);
    struct reply004 first = {.key = one}, second = {.key = other};
    struct status status = STATUS_INIT;

    (void)state;
    assert_non_null(one);
    assert_non_null(other);
    memset(one->bytes, 'A', one->size_bytes);
    memset(other->bytes, 'A', other->size_bytes);
    assert_true(expect_same_key(&first, &second, "index 7", &status));
    other->bytes[31] ^= 1;
    assert_false(expect_same_key(&first, &second, "index 7", &status));
    assert_string_equal(status.text, "index 7: the two ends hold different octets");
    secret_free(one);
    secret_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_is_compared_and_named),
        cmocka_unit_test(a_set_of_statuses_is_written_as_a_list),
        cmocka_unit_test(a_stream_with_the_id_of_zeros_is_not_open),
        cmocka_unit_test(an_answer_at_the_timeout_has_a_tolerance),
        cmocka_unit_test(an_answer_at_once_takes_less_than_half_of_the_timeout),
        cmocka_unit_test(different_octets_are_told_without_showing_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
