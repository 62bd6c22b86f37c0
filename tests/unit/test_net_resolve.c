/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/resolve.h"

static bool resolve_within(const char *host, int64_t ms, struct resolved *resolved,
                           struct status *status)
{
    struct endpoint_address name = {.api = ENDPOINT_ETSI014, .port = "8443"};
    struct deadline deadline = deadline_in_ms(ms);

    snprintf(name.host, sizeof(name.host), "%s", host);
    return resolve(&name, resolved, &deadline, status);
}

/* Without time left there is none to ask a name server in. */
static void addresses_need_no_name_server(void **state)
{
    struct status status = STATUS_INIT;
    struct resolved resolved;
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)&resolved.entries[0].address;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&resolved.entries[0].address;

    (void)state;
    if (!resolve_within("192.0.2.7", 0, &resolved, &status))
        fail_msg("%s", status.text);
    assert_int_equal(resolved.count, 1);
    assert_int_equal(ipv4->sin_family, AF_INET);
    assert_int_equal(ntohl(ipv4->sin_addr.s_addr), 0xc0000207);
    assert_int_equal(ntohs(ipv4->sin_port), 8443);
    if (!resolve_within("2001:db8::7", 0, &resolved, &status))
        fail_msg("%s", status.text);
    assert_int_equal(resolved.count, 1);
    assert_int_equal(ipv6->sin6_family, AF_INET6);
    assert_int_equal(ipv6->sin6_addr.s6_addr[15], 7);
    assert_int_equal(ntohs(ipv6->sin6_port), 8443);
}

static void localhost_is_this_machine_without_any_look_up(void **state)
{
    struct status status = STATUS_INIT;
    struct resolved resolved;

    (void)state;
    if (!resolve_within("localhost", 0, &resolved, &status))
        fail_msg("%s", status.text);
    assert_int_equal(resolved.count, 2);
    assert_int_equal(resolved.entries[0].address.ss_family, AF_INET);
    assert_int_equal(resolved.entries[1].address.ss_family, AF_INET6);
}

static void a_name_that_is_no_name_is_refused_with_itself(void **state)
{
    struct status status = STATUS_INIT;
    struct resolved resolved;

    (void)state;
    assert_false(resolve_within("two..dots", 10000, &resolved, &status));
    assert_failed(&status, OUTCOME_KME, "'two..dots'");
    assert_int_equal(resolved.count, 0);
}

static void a_name_is_not_waited_for_without_time(void **state)
{
    struct status status = STATUS_INIT;
    struct resolved resolved;

    (void)state;
    assert_false(resolve_within("key-server.invalid", 0, &resolved, &status));
    assert_int_not_equal(status.outcome, OUTCOME_OK);
    assert_contains(status.text, "'key-server.invalid'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_need_no_name_server),
        cmocka_unit_test(localhost_is_this_machine_without_any_look_up),
        cmocka_unit_test(a_name_that_is_no_name_is_refused_with_itself),
        cmocka_unit_test(a_name_is_not_waited_for_without_time),
    };

    return RUN_TESTS(tests);
}
