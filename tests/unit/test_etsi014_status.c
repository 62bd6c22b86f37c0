/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "etsi/etsi014.h"

/* Clause 6.1's own numbers. */
static const struct etsi014_status example = {
    .source_kme_id = "AAAABBBBCCCCDDDD",
    .target_kme_id = "EEEEFFFFGGGGHHHH",
    .master_sae_id = "IIIIJJJJKKKKLLLL",
    .slave_sae_id = "MMMMNNNNOOOOPPPP",
    .key_size_bits = 352,
    .stored_key_count = 25000,
    .max_key_count = 100000,
    .max_key_per_request = 128,
    .max_key_size_bits = 1024,
    .min_key_size_bits = 64,
    .max_sae_id_count = 0,
};

static bool parse(const char *text, struct etsi014_status *value, struct status *status)
{
    return etsi014_status_parse(text, strlen(text), value, status);
}

static void what_a_server_writes_a_client_reads(void **state)
{
    struct status status = STATUS_INIT;
    struct etsi014_status again;
    struct buf buf;

    (void)state;
    buf_init(&buf, 10000);
    etsi014_status_put(&buf, &example);
    assert_true(etsi014_status_parse(buf.data, buf.length, &again, &status));
    assert_memory_equal(&again, &example, sizeof(example));
    buf_free(&buf);
}

static void all_the_members_of_the_standard_are_written(void **state)
{
    static const char *const members[] = {
        "\"source_KME_ID\":\"AAAABBBBCCCCDDDD\"",
        "\"target_KME_ID\":\"EEEEFFFFGGGGHHHH\"",
        "\"master_SAE_ID\":\"IIIIJJJJKKKKLLLL\"",
        "\"slave_SAE_ID\":\"MMMMNNNNOOOOPPPP\"",
        "\"key_size\":352",
        "\"stored_key_count\":25000",
        "\"max_key_count\":100000",
        "\"max_key_per_request\":128",
        "\"max_key_size\":1024",
        "\"min_key_size\":64",
        "\"max_SAE_ID_count\":0",
    };
    struct buf buf;

    (void)state;
    buf_init(&buf, 10000);
    etsi014_status_put(&buf, &example);
    buf_put_u8(&buf, '\0');
    for (size_t i = 0; i < COUNT_OF(members); i++)
        assert_contains((const char *)buf.data, members[i]);
    buf_free(&buf);
}

static void identifiers_are_escaped(void **state)
{
    struct status status = STATUS_INIT;
    struct etsi014_status value = example, again;
    struct buf buf;

    (void)state;
    snprintf(value.slave_sae_id, sizeof(value.slave_sae_id), "b\"o\\b\n\xc3\xa9");
    buf_init(&buf, 10000);
    etsi014_status_put(&buf, &value);
    assert_true(etsi014_status_parse(buf.data, buf.length, &again, &status));
    assert_string_equal(again.slave_sae_id, value.slave_sae_id);
    buf_free(&buf);
}

static void missing_members_are_zero_or_empty(void **state)
{
    static const char text[] = "{\"soruce_KME_ID\":\"typo\",\"source_kme_id\":\"lower\","
                               "\"key_size\":256,\"status_extension\":{\"x\":[]}}";
    struct status status = STATUS_INIT;
    struct etsi014_status value;

    (void)state;
    assert_true(parse(text, &value, &status));
    assert_int_equal(value.key_size_bits, 256);
    assert_string_equal(value.source_kme_id, "");
    assert_int_equal(value.max_sae_id_count, 0);
    assert_true(parse("{}", &value, &status));
    assert_true(is_zero((const uint8_t *)&value, sizeof(value)));
}

static void an_identifier_may_have_255_characters_and_no_more(void **state)
{
    char text[400], id[ETSI014_ID_MAX_CHARS + 2];

    (void)state;
    memset(id, 'k', sizeof(id));
    for (int length = ETSI014_ID_MAX_CHARS; length <= ETSI014_ID_MAX_CHARS + 1; length++) {
        struct status status = STATUS_INIT;
        struct etsi014_status value;

        snprintf(text, sizeof(text), "{\"target_KME_ID\":\"%.*s\"}", length, id);
        assert_int_equal(parse(text, &value, &status), length == ETSI014_ID_MAX_CHARS);
        if (length > ETSI014_ID_MAX_CHARS)
            assert_failed(&status, OUTCOME_KME, "target_KME_ID");
        else
            assert_int_equal(strlen(value.target_kme_id), ETSI014_ID_MAX_CHARS);
    }
}

static void wrong_answers_are_refused_and_say_what_is_wrong(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } wrong[] = {
        {"", "not valid JSON"},
        {"{\"key_size\":\"256\"}", "key_size in the status is not an integer"},
        {"{\"stored_key_count\":1.0}", "stored_key_count"},
        {"{\"source_KME_ID\":7}", "source_KME_ID in the status is not a short text"},
        {"{\"key_size\":1,\"key_size\":2}", "not valid JSON"},
        {"[1]", "not an object"},
        {"<html>", "not valid JSON"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct status status = STATUS_INIT;
        struct etsi014_status value;

        assert_false(parse(wrong[i].text, &value, &status));
        assert_failed(&status, OUTCOME_KME, wrong[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_server_writes_a_client_reads),
        cmocka_unit_test(all_the_members_of_the_standard_are_written),
        cmocka_unit_test(identifiers_are_escaped),
        cmocka_unit_test(missing_members_are_zero_or_empty),
        cmocka_unit_test(an_identifier_may_have_255_characters_and_no_more),
        cmocka_unit_test(wrong_answers_are_refused_and_say_what_is_wrong),
    };

    return RUN_TESTS(tests);
}
