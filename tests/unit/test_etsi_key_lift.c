/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "etsi/key_lift.h"

enum { PLACES = 12 };

struct lifted {
    struct secret *places[PLACES];
    struct lifted_keys keys;
    char text[400];
};

static bool lift(struct lifted *lifted, const char *text, size_t max, struct status *status)
{
    memset(lifted, 0, sizeof(*lifted));
    lifted->keys = (struct lifted_keys){0, max, lifted->places};
    snprintf(lifted->text, sizeof(lifted->text), "%s", text);
    return key_lift(lifted->text, strlen(text), &lifted->keys, status);
}

static void free_all(struct lifted *lifted)
{
    for (size_t i = 0; i < lifted->keys.count; i++)
        secret_free(lifted->places[i]);
}

struct example {
    const char *before;
    const char *after;
    size_t count;
};

static const struct example examples[] = {
    {"{\"key\":\"Zm9vYmFy\"}", "{\"key\":\"0       \"}", 1},
    {"{\"key\" \t\r\n:\n \"Zm9v\"}", "{\"key\" \t\r\n:\n \"0   \"}", 1},
    {"{\"key\":\"Zm9v\",\"b\":{\"key\":\"Zg==\"}}", "{\"key\":\"0   \",\"b\":{\"key\":\"1   \"}}",
     2},
    {"{\"key\":\"not base64\"}", "{\"key\":\"0         \"}", 1},
    {"{\"key\":\"\"}", "{\"key\":\"\"}", 1},
    {"{\"key\":\"a\\\"b\"}", "{\"key\":\"0   \"}", 1},
    {"{\"keys\":\"Zm9v\",\"Key\":\"Zm9v\",\"key_ID\":\"Zm9v\"}",
     "{\"keys\":\"Zm9v\",\"Key\":\"Zm9v\",\"key_ID\":\"Zm9v\"}", 0},
    {"{\"a\":\"\\\"key\\\":\\\"Zm9v\\\"\"}", "{\"a\":\"\\\"key\\\":\\\"Zm9v\\\"\"}", 0},
    {"[\"key\",\"Zm9v\"]", "[\"key\",\"Zm9v\"]", 0},
    {"{\"key\":7,\"x\":\"key\"}", "{\"key\":7,\"x\":\"key\"}", 0},
    {"{\"key\":{\"key\":\"Zm9v\"}}", "{\"key\":{\"key\":\"0   \"}}", 1},
    {"", "", 0},
    {"\"key\"", "\"key\"", 0},
    {"\"key\":", "\"key\":", 0},
    {"\"key", "\"key", 0},
    {"\"key\\", "\"key\\", 0},
};

static void only_values_of_members_named_key_are_replaced_in_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        struct status status = STATUS_INIT;
        struct lifted lifted;

        assert_true(lift(&lifted, examples[i].before, PLACES, &status));
        assert_string_equal(lifted.text, examples[i].after);
        assert_int_equal(lifted.keys.count, examples[i].count);
        free_all(&lifted);
    }
}

static void an_escaped_slash_is_a_slash(void **state)
{
    struct status status = STATUS_INIT;
    struct lifted lifted;

    (void)state;
    assert_true(lift(&lifted, "{\"key\":\"\\/\\/\\/\\/\"}", PLACES, &status));
    assert_string_equal(lifted.text, "{\"key\":\"0       \"}");
    assert_non_null(lifted.places[0]);
    assert_int_equal(lifted.places[0]->size_bytes, 3);
    assert_memory_equal(lifted.places[0]->bytes, "\xff\xff\xff", 3);
    free_all(&lifted);
}

static void a_key_is_taken_by_its_marker_once(void **state)
{
    struct status status = STATUS_INIT;
    struct lifted lifted;
    struct secret *key;

    (void)state;
    assert_true(lift(&lifted, "{\"key\":\"Zm9v\",\"b\":{\"key\":\"bad\"}}", PLACES, &status));
    key = key_lift_take(&lifted.keys, "0   ");
    assert_non_null(key);
    assert_memory_equal(key->bytes, "foo", 3);
    assert_null(key_lift_take(&lifted.keys, "0   "));
    assert_null(key_lift_take(&lifted.keys, "1  "));
    secret_free(key);
    free_all(&lifted);
}

static void markers_that_we_did_not_write_take_nothing(void **state)
{
    static const char *const markers[] = {
        "",
        " ",
        "1",
        "-0",
        "+0",
        " 0",
        "0x",
        "0 x",
        "9",
        "x",
        "1e0",
        "999999",
        "18446744073709551616",
        "Zm9v",
    };
    struct status status = STATUS_INIT;
    struct lifted lifted;

    (void)state;
    assert_true(lift(&lifted, "{\"key\":\"Zm9v\"}", PLACES, &status));
    for (size_t i = 0; i < COUNT_OF(markers); i++)
        assert_null(key_lift_take(&lifted.keys, markers[i]));
    free_all(&lifted);
}

static void more_keys_than_places_are_refused(void **state)
{
    struct status status = STATUS_INIT;
    struct lifted lifted;

    (void)state;
    assert_false(lift(&lifted, "{\"key\":\"Zm9v\",\"b\":{\"key\":\"Zg==\"}}", 1, &status));
    assert_failed(&status, OUTCOME_KME, "more than 1 keys");
    assert_int_equal(lifted.keys.count, 1);
    free_all(&lifted);
}

static void a_text_that_ends_inside_a_key_is_refused(void **state)
{
    static const char *const texts[] = {"{\"key\":\"Zm9v", "{\"key\":\"", "{\"key\":\"Zm9v\\"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct status status = STATUS_INIT;
        struct lifted lifted;

        assert_false(lift(&lifted, texts[i], PLACES, &status));
        assert_failed(&status, OUTCOME_KME, "ends inside a key");
        free_all(&lifted);
    }
}

static void a_member_name_with_an_escape_is_refused(void **state)
{
    char text[] = "{\"k\\u0065y\":\"AAECAwQFBgcICQoLDA0ODw==\"}";
    struct secret *places[1];
    struct lifted_keys lifted = {0, 1, places};
    struct status status = STATUS_INIT;

    (void)state;
    assert_false(key_lift(text, strlen(text), &lifted, &status));
    assert_int_equal(status.outcome, OUTCOME_KME);
    assert_int_equal(lifted.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_name_with_an_escape_is_refused),
        cmocka_unit_test(only_values_of_members_named_key_are_replaced_in_place),
        cmocka_unit_test(an_escaped_slash_is_a_slash),
        cmocka_unit_test(a_key_is_taken_by_its_marker_once),
        cmocka_unit_test(markers_that_we_did_not_write_take_nothing),
        cmocka_unit_test(more_keys_than_places_are_refused),
        cmocka_unit_test(a_text_that_ends_inside_a_key_is_refused),
    };

    return RUN_TESTS(tests);
}
