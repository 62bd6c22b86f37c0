/* SPDX-License-Identifier: Apache-2.0 */
/* kme/misbehave*.h: what a rule may be, whose turn it is, and the JSON of the admin side. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "kme/misbehave.h"

static bool parse(const char *json, struct misbehave_request *request, struct status *status)
{
    return misbehave_request_parse(json, strlen(json), request, status);
}

static void apply(struct misbehave *set, const char *json)
{
    struct misbehave_request request;
    struct status status = STATUS_INIT;

    if (!parse(json, &request, &status) || !misbehave_request_apply(set, &request, NULL, &status))
        fail_msg("%s: %s", json, status.text);
}

static void assert_refused(const char *json, const char *says)
{
    struct misbehave_request request;
    struct status status = STATUS_INIT;

    assert_false(parse(json, &request, &status));
    assert_failed(&status, OUTCOME_INPUT, says);
}

static void test_a_rule_says_what_to_whom_where_and_how_often(void **state)
{
    struct misbehave_request request;
    struct status status = STATUS_INIT;

    (void)state;
    assert_true(parse("{\"set\":{\"kind\":\"delay\",\"sae\":\"alice\",\"api\":\"014\","
                      "\"method\":\"dec_keys\",\"min_ms\":5,\"max_ms\":9,\"percent\":30}}",
                      &request, &status));
    assert_int_equal(request.what, MISBEHAVE_SET);
    assert_int_equal(request.rule.kind, MISBEHAVE_DELAY);
    assert_string_equal(request.rule.sae, "alice");
    assert_int_equal(request.rule.calls, 1 << MISBEHAVE_DEC_KEYS);
    assert_int_equal(request.rule.min_ms, 5);
    assert_int_equal(request.rule.max_ms, 9);
    assert_int_equal(request.rule.percent, 30);
    assert_true(parse("{\"set\":{\"kind\":\"delay\",\"ms\":7}}", &request, &status));
    assert_int_equal(request.rule.min_ms, 7);
    assert_int_equal(request.rule.max_ms, 7);
    assert_int_equal(request.rule.one_in, 1);
    assert_int_equal(request.rule.calls, (1 << MISBEHAVE_CALL_COUNT) - 1);
    assert_true(parse("{\"clear\":\"all\"}", &request, &status));
    assert_int_equal(request.what, MISBEHAVE_CLEAR);
    assert_int_equal(request.number, 0);
    assert_true(parse("{\"clear\":12}", &request, &status));
    assert_int_equal(request.number, 12);
}

static void test_every_kind_has_a_name_and_a_rule(void **state)
{
    struct misbehave set = {.count = 0};

    (void)state;
    for (int kind = 0; kind < MISBEHAVE_KIND_COUNT; kind++) {
        char json[128];
        const char *more = kind == MISBEHAVE_DELAY   ? ",\"ms\":1"
                           : kind == MISBEHAVE_ERROR ? ",\"api\":\"014\",\"code\":503"
                                                     : "";

        snprintf(json, sizeof(json), "{\"set\":{\"kind\":\"%s\"%s}}", misbehave_kind_names[kind],
                 more);
        apply(&set, json);
    }
    assert_int_equal(set.count, MISBEHAVE_KIND_COUNT);
}

static void test_what_makes_no_sense_is_refused_with_the_reason(void **state)
{
    static const char *const cases[][2] = {
        {"", "not JSON"},
        {"[]", "neither"},
        {"{}", "neither"},
        {"{\"set\":{},\"clear\":1}", "neither"},
        {"{\"set\":{},\"set\":{}}", "not JSON"},
        {"{\"set\":[]}", "not an object"},
        {"{\"clear\":0}", "neither \"all\""},
        {"{\"clear\":\"some\"}", "neither \"all\""},
        {"{\"clear\":true}", "neither \"all\""},
        {"{\"set\":{}}", "needs a kind"},
        {"{\"set\":{\"kind\":\"sulk\"}}", "kind = 'sulk' is unknown"},
        {"{\"set\":{\"kind\":1}}", "'kind' with a number"},
        {"{\"set\":{\"kind\":null}}", "'kind' is neither"},
        {"{\"set\":{\"kind\":\"drop\\u0000\"}}", "not JSON"},
        {"{\"set\":{\"kind\":\"drop\",\"color\":\"red\"}}", "'color' with a text"},
        {"{\"set\":{\"kind\":\"drop\",\"sae\":\"\"}}", "1 to 255"},
        {"{\"set\":{\"kind\":\"drop\",\"api\":\"015\"}}", "api = '015' is unknown"},
        {"{\"set\":{\"kind\":\"drop\",\"method\":\"enc\"}}", "method = 'enc' is unknown"},
        {"{\"set\":{\"kind\":\"drop\",\"one_in\":0}}", "one_in = 0 is outside"},
        {"{\"set\":{\"kind\":\"drop\",\"percent\":101}}", "percent = 101 is outside"},
        {"{\"set\":{\"kind\":\"drop\",\"one_in\":2,\"percent\":50}}", "exclude each other"},
        {"{\"set\":{\"kind\":\"drop\",\"ms\":5}}", "are for a delay"},
        {"{\"set\":{\"kind\":\"drop\",\"code\":500}}", "code is for an error"},
        {"{\"set\":{\"kind\":\"delay\"}}", "needs ms"},
        {"{\"set\":{\"kind\":\"delay\",\"min_ms\":9,\"max_ms\":8}}", "above max_ms"},
        {"{\"set\":{\"kind\":\"delay\",\"ms\":600001}}", "outside"},
        {"{\"set\":{\"kind\":\"error\",\"code\":503}}", "needs api, or method"},
        {"{\"set\":{\"kind\":\"error\",\"api\":\"014\",\"code\":200}}", "is not 400"},
        {"{\"set\":{\"kind\":\"error\",\"api\":\"004\",\"code\":9}}", "no status from 1 to 8"},
        {"{\"set\":{\"kind\":\"error\",\"method\":\"close\"}}", "no status from 1 to 8"},
        {"{\"set\":{\"kind\":\"chunked\",\"api\":\"004\"}}", "nothing to do with"},
        {"{\"set\":{\"kind\":\"drop\",\"api\":\"014\",\"method\":\"close\"}}", "nothing to do"},
        {"{\"set\":{\"kind\":\"used_404\",\"method\":\"enc_keys\"}}", "nothing to do with"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_refused(cases[i][0], cases[i][1]);
}

static void test_a_body_that_is_too_long_is_refused(void **state)
{
    char json[MISBEHAVE_REQUEST_MAX_BYTES + 2];
    struct misbehave_request request;
    struct status status = STATUS_INIT;

    (void)state;
    memset(json, ' ', sizeof(json));
    memcpy(json, "{\"clear\":1}", 11);
    assert_true(misbehave_request_parse(json, MISBEHAVE_REQUEST_MAX_BYTES, &request, &status));
    assert_false(misbehave_request_parse(json, MISBEHAVE_REQUEST_MAX_BYTES + 1, &request, &status));
}

/* "x" for each of ten calls that the rule acts on. */
static void assert_turns(const char *json, const char *turns)
{
    struct misbehave set = {.count = 0};
    char got[11] = "";

    apply(&set, json);
    for (int i = 0; i < 10; i++)
        got[i] =
            misbehave_now(&set, MISBEHAVE_DROP, "alice", MISBEHAVE_GET_KEY) != NULL ? 'x' : '.';
    assert_string_equal(got, turns);
}

static void test_how_often_is_exact(void **state)
{
    (void)state;
    assert_turns("{\"set\":{\"kind\":\"drop\"}}", "xxxxxxxxxx");
    assert_turns("{\"set\":{\"kind\":\"drop\",\"one_in\":3}}", "..x..x..x.");
    assert_turns("{\"set\":{\"kind\":\"drop\",\"one_in\":11}}", "..........");
    assert_turns("{\"set\":{\"kind\":\"drop\",\"percent\":50}}", ".x.x.x.x.x");
    assert_turns("{\"set\":{\"kind\":\"drop\",\"percent\":100}}", "xxxxxxxxxx");
    assert_turns("{\"set\":{\"kind\":\"drop\",\"percent\":30}}", "...x..x..x");
}

static void test_a_rule_acts_on_its_sae_and_its_calls_only(void **state)
{
    struct misbehave set = {.count = 0};
    const struct misbehave_rule *rule;

    (void)state;
    assert_null(misbehave_now(NULL, MISBEHAVE_ERROR, "alice", MISBEHAVE_ENC_KEYS));
    apply(&set, "{\"set\":{\"kind\":\"error\",\"sae\":\"alice\",\"method\":\"enc_keys\","
                "\"code\":404}}");
    assert_null(misbehave_now(&set, MISBEHAVE_ERROR, "carol", MISBEHAVE_ENC_KEYS));
    assert_null(misbehave_now(&set, MISBEHAVE_ERROR, "alice", MISBEHAVE_DEC_KEYS));
    assert_null(misbehave_now(&set, MISBEHAVE_DROP, "alice", MISBEHAVE_ENC_KEYS));
    assert_int_equal(set.items[0].asked, 0);
    rule = misbehave_now(&set, MISBEHAVE_ERROR, "alice", MISBEHAVE_ENC_KEYS);
    assert_non_null(rule);
    assert_int_equal(rule->code, 404);
    assert_int_equal(set.items[0].asked, 1);
    assert_int_equal(set.items[0].happened, 1);
    assert_int_equal(set.happened[MISBEHAVE_ERROR], 1);
}

static void test_rules_are_cleared_by_number_and_the_list_is_bounded(void **state)
{
    struct misbehave set = {.count = 0};
    struct misbehave_request request;
    struct status status = STATUS_INIT;

    (void)state;
    for (int i = 0; i < MISBEHAVE_RULES_MAX; i++)
        apply(&set, "{\"set\":{\"kind\":\"drop\"}}");
    assert_true(parse("{\"set\":{\"kind\":\"drop\"}}", &request, &status));
    assert_false(misbehave_request_apply(&set, &request, NULL, &status));
    assert_contains(status.text, "64 rules");
    apply(&set, "{\"clear\":2}");
    assert_int_equal(set.count, MISBEHAVE_RULES_MAX - 1);
    assert_int_equal(set.items[1].number, 3);
    status_clear(&status);
    assert_true(parse("{\"clear\":2}", &request, &status));
    assert_false(misbehave_request_apply(&set, &request, NULL, &status));
    assert_contains(status.text, "no rule 2");
    apply(&set, "{\"clear\":\"all\"}");
    assert_int_equal(set.count, 0);
    apply(&set, "{\"set\":{\"kind\":\"drop\"}}");
    assert_int_equal(set.items[0].number, MISBEHAVE_RULES_MAX + 1);
}

static void test_a_new_configuration_replaces_its_own_rules_only(void **state)
{
    struct misbehave set = {.count = 0};
    struct misbehave_request request;
    struct status status = STATUS_INIT;

    (void)state;
    assert_true(parse("{\"set\":{\"kind\":\"drop\"}}", &request, &status));
    misbehave_load(&set, &request.rule, 1, NULL);
    apply(&set, "{\"set\":{\"kind\":\"flip\"}}");
    misbehave_load(&set, NULL, 0, NULL);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.items[0].rule.kind, MISBEHAVE_FLIP);
}

static void test_a_random_delay_stays_in_its_range(void **state)
{
    struct misbehave_rule rule = {.min_ms = 1200, .max_ms = 1300};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct timeval delay = misbehave_delay(&rule);

        assert_int_equal(delay.tv_sec, 1);
        assert_in_range(delay.tv_usec, 200000, 300000);
    }
}

static void test_the_list_is_what_can_be_set_again(void **state)
{
    static const char rule[] = "{\"kind\":\"error\",\"sae\":\"alice\",\"api\":\"004\","
                               "\"method\":\"get_key\",\"code\":6,\"percent\":5}";
    struct misbehave set = {.count = 0};
    char json[256], expected[256];
    json_t *list;
    char *text;

    (void)state;
    snprintf(json, sizeof(json), "{\"set\":%s}", rule);
    apply(&set, json);
    list = misbehave_json(&set);
    text = json_dumps(list, JSON_COMPACT);
    snprintf(expected, sizeof(expected),
             "[{\"rule\":1,\"origin\":\"admin\",%.*s,\"asked\":0,"
             "\"happened\":0}]",
             (int)strlen(rule) - 2, rule + 1);
    assert_string_equal(text, expected);
    free(text);
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rule_says_what_to_whom_where_and_how_often),
        cmocka_unit_test(test_every_kind_has_a_name_and_a_rule),
        cmocka_unit_test(test_what_makes_no_sense_is_refused_with_the_reason),
        cmocka_unit_test(test_a_body_that_is_too_long_is_refused),
        cmocka_unit_test(test_how_often_is_exact),
        cmocka_unit_test(test_a_rule_acts_on_its_sae_and_its_calls_only),
        cmocka_unit_test(test_rules_are_cleared_by_number_and_the_list_is_bounded),
        cmocka_unit_test(test_a_new_configuration_replaces_its_own_rules_only),
        cmocka_unit_test(test_a_random_delay_stays_in_its_range),
        cmocka_unit_test(test_the_list_is_what_can_be_set_again),
    };

    return RUN_TESTS(tests);
}
