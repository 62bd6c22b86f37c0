/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "etsi/etsi014.h"

static const char id_a[] = "00000000-0000-4000-8000-00000000000a";
static const char id_b[] = "00000000-0000-4000-8000-00000000000b";

static void check_path(const char *peer, enum etsi014_method method, const char *expected)
{
    struct buf buf;

    buf_init(&buf, ETSI014_PATH_MAX_CHARS);
    etsi014_put_path(&buf, peer, method);
    assert_false(buf.failed);
    assert_int_equal(buf.length, strlen(expected));
    assert_memory_equal(buf.data, expected, buf.length);
    buf_free(&buf);
}

static void each_method_has_its_path(void **state)
{
    (void)state;
    check_path("bob", ETSI014_GET_STATUS, "/api/v1/keys/bob/status");
    check_path("bob", ETSI014_GET_KEY, "/api/v1/keys/bob/enc_keys");
    check_path("bob", ETSI014_GET_KEY_IDS, "/api/v1/keys/bob/dec_keys");
}

static void an_sae_id_is_one_encoded_segment(void **state)
{
    (void)state;
    check_path("a/b?c#d%e f", ETSI014_GET_KEY, "/api/v1/keys/a%2Fb%3Fc%23d%25e%20f/enc_keys");
    check_path("..", ETSI014_GET_KEY, "/api/v1/keys/../enc_keys");
    check_path("AZaz09-._~", ETSI014_GET_KEY, "/api/v1/keys/AZaz09-._~/enc_keys");
    check_path("z\xc3\xbcrich\r\n", ETSI014_GET_KEY, "/api/v1/keys/z%C3%BCrich%0D%0A/enc_keys");
}

static void the_longest_sae_id_fits_the_longest_path(void **state)
{
    char peer[ETSI014_ID_MAX_CHARS + 1];
    struct buf buf;

    (void)state;
    memset(peer, '/', ETSI014_ID_MAX_CHARS);
    peer[ETSI014_ID_MAX_CHARS] = '\0';
    buf_init(&buf, ETSI014_PATH_MAX_CHARS);
    etsi014_put_path(&buf, peer, ETSI014_GET_KEY);
    assert_false(buf.failed);
    buf_free(&buf);
}

static void an_empty_request_asks_for_one_key_of_the_default_size(void **state)
{
    static const char *const texts[] = {"", "{}", " {\n} ", "{\"vendor_x\":[1,{\"y\":null}]}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct etsi014_key_request request;
        struct etsi014_error error;

        assert_true(etsi014_key_request_parse(texts[i], strlen(texts[i]), &request, &error));
        assert_int_equal(request.number, 1);
        assert_int_equal(request.size_bits, 0);
        assert_int_equal(request.additional_slave_count, 0);
        assert_string_equal(request.extension_mandatory, "");
    }
}

static void what_a_client_writes_a_server_reads(void **state)
{
    struct etsi014_key_request request;
    struct etsi014_error error;
    struct buf buf;

    (void)state;
    buf_init(&buf, 1000);
    etsi014_key_request_put(&buf, 3, 1024);
    assert_true(etsi014_key_request_parse(buf.data, buf.length, &request, &error));
    assert_int_equal(request.number, 3);
    assert_int_equal(request.size_bits, 1024);
    buf_free(&buf);
}

static void every_member_of_a_key_request_is_read(void **state)
{
    static const char text[] =
        "{\"number\":20,\"size\":512,\"additional_slave_SAE_IDs\":[\"c\",\"d\"],"
        "\"extension_mandatory\":[{\"abc_route\":\"direct\"},{\"abc_second\":1}],"
        "\"extension_optional\":[{\"abc_third\":{\"deep\":[]}}]}";
    struct etsi014_key_request request;
    struct etsi014_error error;

    (void)state;
    assert_true(etsi014_key_request_parse(text, strlen(text), &request, &error));
    assert_int_equal(request.number, 20);
    assert_int_equal(request.size_bits, 512);
    assert_int_equal(request.additional_slave_count, 2);
    assert_string_equal(request.extension_mandatory, "abc_route");
}

static void an_optional_extension_is_not_a_mandatory_one(void **state)
{
    static const char text[] = "{\"extension_mandatory\":[],\"extension_optional\":[{\"x\":1}]}";
    struct etsi014_key_request request;
    struct etsi014_error error;

    (void)state;
    assert_true(etsi014_key_request_parse(text, strlen(text), &request, &error));
    assert_string_equal(request.extension_mandatory, "");
}

static void a_mandatory_extension_without_a_name_is_still_one(void **state)
{
    static const char text[] = "{\"extension_mandatory\":[{\"\":1}]}";
    struct etsi014_key_request request;
    struct etsi014_error error;

    (void)state;
    assert_true(etsi014_key_request_parse(text, strlen(text), &request, &error));
    assert_string_not_equal(request.extension_mandatory, "");
}

struct refused {
    const char *text;
    const char *message;
};

static void wrong_key_requests_are_refused_with_400(void **state)
{
    static const struct refused refused[] = {
        {"{\"number\":\"3\"}", "number shall be an integer"},
        {"{\"number\":1.5}", "number shall be an integer"},
        {"{\"number\":null}", "number shall be an integer"},
        {"{\"size\":true}", "size shall be an integer"},
        {"{\"size\":0}", "size shall be greater than 0"},
        {"{\"size\":-256}", "size shall be greater than 0"},
        {"{\"additional_slave_SAE_IDs\":\"c\"}", "array of strings"},
        {"{\"additional_slave_SAE_IDs\":[1]}", "array of strings"},
        {"{\"extension_mandatory\":{}}", "extension_mandatory shall be an array of objects"},
        {"{\"extension_mandatory\":[1]}", "extension_mandatory shall be an array of objects"},
        {"{\"extension_optional\":[[]]}", "extension_optional shall be an array of objects"},
        {"{\"number\":1,\"number\":2}", "not valid JSON"},
        {"{\"number\":99999999999999999999}", "not valid JSON"},
        {"{\"number\":1", "not valid JSON"},
        {"{\"number\":1}{}", "not valid JSON"},
        {"{\"x\":\"\xff\"}", "not valid JSON"},
        {"{\"x\":\"\\u0000\"}", "not valid JSON"},
        {"[]", "not an object"},
        {"7", "not"},
        {" ", "not valid JSON"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct etsi014_key_request request;
        struct etsi014_error error;

        assert_false(
            etsi014_key_request_parse(refused[i].text, strlen(refused[i].text), &request, &error));
        assert_int_equal(error.http_status, 400);
        assert_contains(error.message, refused[i].message);
    }
}

static void nesting_is_bounded_before_it_is_parsed(void **state)
{
    static char bomb[200000];
    struct etsi014_key_request request;
    struct etsi014_error error;
    char text[100];

    (void)state;
    memset(bomb, '[', sizeof(bomb));
    memcpy(bomb, "{\"a\":", 5);
    assert_false(etsi014_key_request_parse(bomb, sizeof(bomb), &request, &error));
    assert_contains(error.message, "nested more than 16 levels");
    for (int depth = 15; depth <= 16; depth++) {
        snprintf(text, sizeof(text), "{\"a\":%.*s%.*s}", depth, "[[[[[[[[[[[[[[[[", depth,
                 "]]]]]]]]]]]]]]]]");
        assert_int_equal(etsi014_key_request_parse(text, strlen(text), &request, &error),
                         depth == 15);
    }
    /* Brackets in a string are text. */
    snprintf(text, sizeof(text), "{\"a\":\"[[[[[[[[[[[[[[[[[[\\\"[[[[\"}");
    assert_true(etsi014_key_request_parse(text, strlen(text), &request, &error));
}

static bool parse_ids(const char *text, size_t max, struct key_id *ids, size_t *count,
                      struct etsi014_error *error)
{
    return etsi014_key_ids_parse(text, strlen(text), ids, max, count, error);
}

static void key_ids_come_back_in_request_order(void **state)
{
    struct key_id ids[2] = {{{1}}, {{2}}}, again[2];
    struct etsi014_error error;
    size_t count = 0;
    struct buf buf;

    (void)state;
    buf_init(&buf, 1000);
    etsi014_key_ids_put(&buf, ids, 2);
    assert_true(etsi014_key_ids_parse(buf.data, buf.length, again, 2, &count, &error));
    assert_int_equal(count, 2);
    assert_memory_equal(again, ids, sizeof(ids));
    buf_free(&buf);
}

static void unknown_members_of_key_ids_are_ignored(void **state)
{
    struct etsi014_error error;
    struct key_id id;
    size_t count = 0;
    char text[300];

    (void)state;
    snprintf(
        text, sizeof(text),
        "{\"key_IDs_extension\":{},\"key_IDs\":[{\"master_SAE_ID\":\"alice\",\"key_ID\":\"%s\","
        "\"key_ID_extension\":{\"x\":1}}],\"vendor\":0}",
        id_a);
    assert_true(parse_ids(text, 1, &id, &count, &error));
    assert_int_equal(count, 1);
    assert_int_equal(id.octets[15], 0x0a);
}

static void wrong_key_ids_are_refused_with_400(void **state)
{
    static const struct refused refused[] = {
        {"", "request body"},
        {"{}", "no array key_IDs"},
        {"{\"key_IDs\":{}}", "no array key_IDs"},
        {"{\"key_IDs\":[]}", "empty"},
        {"{\"key_IDs\":[\"00000000-0000-4000-8000-00000000000a\"]}", "array of objects"},
        {"{\"key_IDs\":[{\"key_id\":\"00000000-0000-4000-8000-00000000000a\"}]}", "string key_ID"},
        {"{\"key_IDs\":[{\"key_ID\":7}]}", "string key_ID"},
        {"{\"key_IDs\":[{\"key_ID\":\"7\"}]}", "key_ID 1 is not a UUID"},
        {"{\"key_IDs\":[{\"key_ID\":\"{0000000-0000-4000-8000-00000000000a}\"}]}", "not a UUID"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct etsi014_error error;
        struct key_id ids[4];
        size_t count = 99;

        assert_false(parse_ids(refused[i].text, 4, ids, &count, &error));
        assert_int_equal(error.http_status, 400);
        assert_contains(error.message, refused[i].message);
        assert_int_equal(count, 99);
    }
}

static void repeated_and_surplus_key_ids_are_refused(void **state)
{
    struct etsi014_error error;
    struct key_id ids[3];
    char text[300];
    size_t count;

    (void)state;
    snprintf(text, sizeof(text),
             "{\"key_IDs\":[{\"key_ID\":\"%s\"},{\"key_ID\":\"%s\"},{\"key_ID\":\"%s\"}]}", id_a,
             id_b, "00000000-0000-4000-8000-00000000000A");
    assert_false(parse_ids(text, 3, ids, &count, &error));
    assert_contains(error.message, "key_ID 3 repeats key_ID 1");
    assert_false(parse_ids(text, 2, ids, &count, &error));
    assert_contains(error.message, "key_IDs has 3 entries, more than 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_method_has_its_path),
        cmocka_unit_test(an_sae_id_is_one_encoded_segment),
        cmocka_unit_test(the_longest_sae_id_fits_the_longest_path),
        cmocka_unit_test(an_empty_request_asks_for_one_key_of_the_default_size),
        cmocka_unit_test(what_a_client_writes_a_server_reads),
        cmocka_unit_test(every_member_of_a_key_request_is_read),
        cmocka_unit_test(an_optional_extension_is_not_a_mandatory_one),
        cmocka_unit_test(a_mandatory_extension_without_a_name_is_still_one),
        cmocka_unit_test(wrong_key_requests_are_refused_with_400),
        cmocka_unit_test(nesting_is_bounded_before_it_is_parsed),
        cmocka_unit_test(key_ids_come_back_in_request_order),
        cmocka_unit_test(unknown_members_of_key_ids_are_ignored),
        cmocka_unit_test(wrong_key_ids_are_refused_with_400),
        cmocka_unit_test(repeated_and_surplus_key_ids_are_refused),
    };

    return RUN_TESTS(tests);
}
