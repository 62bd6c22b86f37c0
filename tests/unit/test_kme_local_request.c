/* SPDX-License-Identifier: Apache-2.0 */
/* kme/local_request.h: programs of this machine get through, web pages do not. */
#include "tests/unit/unit.h"

#include "kme/local_request.h"

static bool check(const char *listen, const char *host, const char *origin)
{
    struct http_request request = {.phase = HTTP_REQUEST_COMPLETE};
    struct address address;
    const char *why = NULL;
    bool good;

    assert_true(address_parse(listen, &address));
    snprintf(request.host, sizeof(request.host), "%s", host);
    snprintf(request.origin, sizeof(request.origin), "%s", origin);
    good = local_request_check(&request, &address, &why);
    assert_true(good == (why == NULL));
    return good;
}

static void test_loopback_names_with_our_port_are_ours(void **state)
{
    (void)state;
    assert_true(check("127.0.0.1:17402", "127.0.0.1:17402", ""));
    assert_true(check("127.0.0.1:17402", "localhost:17402", ""));
    assert_true(check("127.0.0.1:17402", "LocalHost:17402", ""));
    assert_true(check("[::1]:17402", "[::1]:17402", ""));
    assert_true(check("127.1.2.3:17402", "127.1.2.3:17402", ""));
    assert_true(check("127.0.0.1:17402", "localhost:17402", "http://localhost:17402"));
}

static void test_other_names_and_ports_are_not(void **state)
{
    static const char *const hosts[] = {
        "",
        "localhost",
        "127.0.0.1",
        "127.0.0.1:17403",
        "evil.example:17402",
        "localhost.",
        "localhost:17402.evil",
        "127.0.0.2:17402",
        "localhost:017402",
        "localhost:17402 ",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts); i++)
        assert_false(check("127.0.0.1:17402", hosts[i], ""));
}

static void test_other_origins_are_not(void **state)
{
    static const char *const origins[] = {
        "null",
        "http://evil.example",
        "https://localhost:17402",
        "http://localhost",
        "http://localhost:80",
        "http://localhost:17402.evil.example",
        "http://localhost:17402/",
        "http://127.0.0.1:17402",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(origins); i++)
        assert_false(check("127.0.0.1:17402", "localhost:17402", origins[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loopback_names_with_our_port_are_ours),
        cmocka_unit_test(test_other_names_and_ports_are_not),
        cmocka_unit_test(test_other_origins_are_not),
    };

    return RUN_TESTS(tests);
}
