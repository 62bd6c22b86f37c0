/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "net/endpoint.h"

static const struct {
    const char *url;
    enum endpoint_api api;
    const char *host;
    const char *port;
} accepted[] = {
    {"https://kme-a:8443", ENDPOINT_ETSI014, "kme-a", "8443"},
    {"https://kme-a", ENDPOINT_ETSI014, "kme-a", "443"},
    {"https://kme-a/", ENDPOINT_ETSI014, "kme-a", "443"},
    {"https://kme-a:1/", ENDPOINT_ETSI014, "kme-a", "1"},
    {"https://kme-a:65535", ENDPOINT_ETSI014, "kme-a", "65535"},
    {"https://127.0.0.1:17400", ENDPOINT_ETSI014, "127.0.0.1", "17400"},
    {"https://[::1]:8443", ENDPOINT_ETSI014, "::1", "8443"},
    {"https://[2001:db8::7]", ENDPOINT_ETSI014, "2001:db8::7", "443"},
    {"etsi004://kme-a", ENDPOINT_ETSI004, "kme-a", "25575"},
    {"etsi004://kme-a:25576", ENDPOINT_ETSI004, "kme-a", "25576"},
};

static void urls_of_key_servers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(accepted); i++) {
        struct endpoint_address address;
        struct status status = STATUS_INIT;

        if (!endpoint_address_parse(accepted[i].url, &address, &status))
            fail_msg("%s: %s", accepted[i].url, status.text);
        assert_int_equal(address.api, accepted[i].api);
        assert_string_equal(address.host, accepted[i].host);
        assert_string_equal(address.port, accepted[i].port);
    }
}

static const struct {
    const char *url;
    const char *reason;
} refused[] = {
    {"", "neither https://"},
    {"kme-a:8443", "neither https://"},
    {"http://kme-a:8443", "neither https://"},
    {"HTTPS://kme-a", "neither https://"},
    {"https:/kme-a", "neither https://"},
    {"https://", "no valid host"},
    {"https://:8443", "no valid host"},
    {"https:///path", "no valid host"},
    {"https://[]:1", "no valid host"},
    {"https://[::1", "no valid host"},
    {"https://user@kme-a", "no valid host"},
    {"https://kme a", "no valid host"},
    {"https://kme-a?x=1", "no valid host"},
    {"https://kme-a#x", "no valid host"},
    {"https://kme-a\r\nX-Forged: 1", "no valid host"},
    {"https://kme[a]", "no valid host"},
    {"https://[kme-a]", "no valid host"},
    {"https://[::1/x]", "no valid host"},
    {"https://z\xc3\xbcrich", "no valid host"},
    {"https://kme-a:", "no valid port"},
    {"https://kme-a:0", "no valid port"},
    {"https://kme-a:65536", "no valid port"},
    {"https://kme-a:100000", "no valid port"},
    {"https://kme-a:-1", "no valid port"},
    {"https://kme-a:+1", "no valid port"},
    {"https://kme-a: 1", "no valid port"},
    {"https://kme-a:8443x", "no valid port"},
    {"https://kme-a:8443?x", "no valid port"},
    {"https://kme-a:8443/api", "has no path"},
    {"https://kme-a//", "has no path"},
    {"https://[::1]8443", "has no path"},
};

static void other_urls_are_refused_and_say_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct endpoint_address address, untouched;
        struct status status = STATUS_INIT;

        memset(&address, 0x5a, sizeof(address));
        memset(&untouched, 0x5a, sizeof(untouched));
        if (endpoint_address_parse(refused[i].url, &address, &status))
            fail_msg("accepted: %s", refused[i].url);
        assert_failed(&status, OUTCOME_CONFIG, refused[i].reason);
        assert_memory_equal(&address, &untouched, sizeof(address));
    }
}

static void a_host_may_have_255_characters_and_no_more(void **state)
{
    char url[400], host[ENDPOINT_HOST_MAX_CHARS + 1];

    (void)state;
    memset(host, 'h', sizeof(host));
    for (int length = ENDPOINT_HOST_MAX_CHARS; length <= ENDPOINT_HOST_MAX_CHARS + 1; length++) {
        struct endpoint_address address;
        struct status status = STATUS_INIT;

        snprintf(url, sizeof(url), "https://%.*s:1", length, host);
        assert_int_equal(endpoint_address_parse(url, &address, &status),
                         length == ENDPOINT_HOST_MAX_CHARS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_of_key_servers_are_read),
        cmocka_unit_test(other_urls_are_refused_and_say_what_is_wrong),
        cmocka_unit_test(a_host_may_have_255_characters_and_no_more),
    };

    return RUN_TESTS(tests);
}
