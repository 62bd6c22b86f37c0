/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

static void the_first_failure_is_kept(void **state)
{
    struct status status = STATUS_INIT;

    (void)state;
    assert_false(status_fail(&status, OUTCOME_KME, "the %s at port %d", "cause", 8443));
    assert_false(status_fail(&status, OUTCOME_INTERNAL, "what clean-up met"));
    assert_int_equal(status.outcome, OUTCOME_KME);
    assert_string_equal(status.text, "the cause at port 8443");
}

static void clearing_makes_room_for_another(void **state)
{
    struct status status = STATUS_INIT;

    (void)state;
    status_fail(&status, OUTCOME_KME, "one");
    status_clear(&status);
    assert_int_equal(status.outcome, OUTCOME_OK);
    assert_string_equal(status.text, "");
    status_fail(&status, OUTCOME_PEER, "two");
    assert_failed(&status, OUTCOME_PEER, "two");
}

static void octets_that_are_not_printable_are_replaced(void **state)
{
    struct status status = STATUS_INIT;

    (void)state;
    status_fail(&status, OUTCOME_KME, "a\nb\tc\x1b[31md\x7f\xc3\xa9 ~");
    assert_string_equal(status.text, "a?b?c?[31md??? ~");
}

static void a_long_text_is_cut_and_ended(void **state)
{
    char text[2 * STATUS_TEXT_BYTES];
    struct status status = STATUS_INIT;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    status_fail(&status, OUTCOME_KME, "%s", text);
    assert_int_equal(strlen(status.text), STATUS_TEXT_BYTES - 1);
    status_prefix(&status, "%s", text);
    assert_int_equal(strlen(status.text), STATUS_TEXT_BYTES - 1);
}

static void a_prefix_stands_before_the_sentence(void **state)
{
    struct status status = STATUS_INIT;

    (void)state;
    status_fail(&status, OUTCOME_TIMEOUT, "it did not answer");
    assert_false(status_prefix(&status, "KME %s:%d", "localhost\n", 8443));
    assert_failed(&status, OUTCOME_TIMEOUT, "KME localhost?:8443: it did not answer");
    status_prefix(&status, "outer");
    assert_string_equal(status.text, "outer: KME localhost?:8443: it did not answer");
}

static void every_outcome_has_its_own_word(void **state)
{
    (void)state;
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        assert_non_null(outcome_name((enum outcome)i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(outcome_name((enum outcome)i), outcome_name((enum outcome)j));
    }
    assert_string_equal(outcome_name(OUTCOME_COUNT), "unknown");
    assert_string_equal(outcome_name((enum outcome) - 1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_is_kept),
        cmocka_unit_test(clearing_makes_room_for_another),
        cmocka_unit_test(octets_that_are_not_printable_are_replaced),
        cmocka_unit_test(a_long_text_is_cut_and_ended),
        cmocka_unit_test(a_prefix_stands_before_the_sentence),
        cmocka_unit_test(every_outcome_has_its_own_word),
    };

    return RUN_TESTS(tests);
}
