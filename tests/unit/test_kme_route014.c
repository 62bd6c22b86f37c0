/* SPDX-License-Identifier: Apache-2.0 */
/* kme/route014.h: paths, percent-encoding, queries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kme/route014.h"

static void assert_route(const char *target, enum etsi014_method method, const char *sae,
                         const char *query)
{
    struct route014 route;

    assert_int_equal(route014_parse(target, &route), ROUTE_FOUND);
    assert_int_equal(route.method, method);
    assert_string_equal(route.sae, sae);
    assert_string_equal(route.query, query);
    assert_false(route.trailing_slash);
}

static void assert_result(const char *target, enum route_result expected)
{
    struct route014 route;

    assert_int_equal(route014_parse(target, &route), expected);
}

static void test_the_three_methods_are_found(void **state)
{
    (void)state;
    assert_route("/api/v1/keys/bob/status", ETSI014_GET_STATUS, "bob", "");
    assert_route("/api/v1/keys/bob/enc_keys", ETSI014_GET_KEY, "bob", "");
    assert_route("/api/v1/keys/bob/dec_keys?key_ID=1&x", ETSI014_GET_KEY_IDS, "bob", "key_ID=1&x");
    assert_route("/api/v1/keys/bob/status?", ETSI014_GET_STATUS, "bob", "");
}

static void test_a_trailing_slash_is_told(void **state)
{
    struct route014 route;

    (void)state;
    assert_int_equal(route014_parse("/api/v1/keys/bob/dec_keys/?key_ID=1", &route), ROUTE_FOUND);
    assert_int_equal(route.method, ETSI014_GET_KEY_IDS);
    assert_string_equal(route.query, "key_ID=1");
    assert_true(route.trailing_slash);
    assert_result("/api/v1/keys/bob/dec_keys//", ROUTE_NOT_FOUND);
    assert_result("/api/v1/keys/bob//", ROUTE_NOT_FOUND);
}

static void test_sae_ids_are_decoded_once(void **state)
{
    (void)state;
    assert_route("/api/v1/keys/a%20b/status", ETSI014_GET_STATUS, "a b", "");
    assert_route("/api/v1/keys/a%2Fb/status", ETSI014_GET_STATUS, "a/b", "");
    assert_route("/api/v1/keys/a%2fb%3F/status", ETSI014_GET_STATUS, "a/b?", "");
    assert_route("/api/v1/keys/%25%32%46/status", ETSI014_GET_STATUS, "%2F", "");
    assert_route("/api/v1/keys/%C3%A9/status", ETSI014_GET_STATUS, "\xc3\xa9", "");
    assert_route("/api/v1/keys/a+b/status", ETSI014_GET_STATUS, "a+b", "");
}

static void test_broken_encodings_are_bad(void **state)
{
    (void)state;
    assert_result("/api/v1/keys/a%/status", ROUTE_BAD);
    assert_result("/api/v1/keys/a%2/status", ROUTE_BAD);
    assert_result("/api/v1/keys/a%zz/status", ROUTE_BAD);
    assert_result("/api/v1/keys/a%00/status", ROUTE_BAD);
}

static void test_an_sae_id_that_is_too_long_is_bad(void **state)
{
    char target[512] = "/api/v1/keys/";
    size_t prefix = strlen(target);

    (void)state;
    memset(target + prefix, 'a', ETSI014_ID_MAX_CHARS);
    strcpy(target + prefix + ETSI014_ID_MAX_CHARS, "/status");
    assert_result(target, ROUTE_FOUND);
    memset(target + prefix, 'a', ETSI014_ID_MAX_CHARS + 1);
    strcpy(target + prefix + ETSI014_ID_MAX_CHARS + 1, "/status");
    assert_result(target, ROUTE_BAD);
}

static void test_other_paths_are_not_found(void **state)
{
    static const char *const targets[] = {
        "/",
        "*",
        "/api/v1/keys",
        "/api/v1/keys/",
        "/api/v1/keys/bob",
        "/api/v1/keys/bob/",
        "/api/v1/keys//status",
        "/api/v1/keys/bob//status",
        "//api/v1/keys/bob/status",
        "/api/v2/keys/bob/status",
        "/api/v1/keys/bob/Status",
        "/api/v1/keys/bob/enc_keys/number/1",
        "/api/v1/keys/bob/stat%75s",
        "/api/v1/keys?/bob/status",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        assert_result(targets[i], ROUTE_NOT_FOUND);
}

static void test_methods_are_allowed_as_table_2_says(void **state)
{
    const char *allow = NULL;

    (void)state;
    assert_true(route014_allows(ETSI014_GET_STATUS, "GET", &allow));
    assert_false(route014_allows(ETSI014_GET_STATUS, "POST", &allow));
    assert_string_equal(allow, "GET");
    assert_true(route014_allows(ETSI014_GET_KEY, "POST", &allow));
    assert_true(route014_allows(ETSI014_GET_KEY_IDS, "GET", &allow));
    assert_false(route014_allows(ETSI014_GET_KEY, "PUT", &allow));
    assert_false(route014_allows(ETSI014_GET_KEY, "get", &allow));
    assert_string_equal(allow, "GET, POST");
}

static void test_query_parameters_are_found_by_exact_name(void **state)
{
    char value[8];

    (void)state;
    assert_int_equal(query_find("number=3&size=1024", "size", value, sizeof(value)), QUERY_FOUND);
    assert_string_equal(value, "1024");
    assert_int_equal(query_find("xsize=1&sizex=2", "size", value, sizeof(value)), QUERY_ABSENT);
    assert_int_equal(query_find("", "size", value, sizeof(value)), QUERY_ABSENT);
    assert_int_equal(query_find("size", "size", value, sizeof(value)), QUERY_FOUND);
    assert_string_equal(value, "");
    assert_int_equal(query_find("&&size=%31&", "size", value, sizeof(value)), QUERY_FOUND);
    assert_string_equal(value, "1");
    assert_int_equal(query_find("size=1&size=1", "size", value, sizeof(value)), QUERY_REPEATED);
    assert_int_equal(query_find("size=12345678", "size", value, sizeof(value)), QUERY_BAD);
    assert_int_equal(query_find("size=%", "size", value, sizeof(value)), QUERY_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_three_methods_are_found),
        cmocka_unit_test(test_a_trailing_slash_is_told),
        cmocka_unit_test(test_sae_ids_are_decoded_once),
        cmocka_unit_test(test_broken_encodings_are_bad),
        cmocka_unit_test(test_an_sae_id_that_is_too_long_is_bad),
        cmocka_unit_test(test_other_paths_are_not_found),
        cmocka_unit_test(test_methods_are_allowed_as_table_2_says),
        cmocka_unit_test(test_query_parameters_are_found_by_exact_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
