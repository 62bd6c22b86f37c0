/* SPDX-License-Identifier: Apache-2.0 */
/* kme/qos004.h, kme/policy004.h, kme/uri004.h, kme/burnt004.h: on what terms a stream opens. */
#include "tests/unit/unit.h"

#include "kme/burnt004.h"
#include "kme/policy004.h"
#include "kme/qos004.h"
#include "kme/uri004.h"

static struct config_link links[1];

static struct kme_config make_config(void)
{
    static char bob[] = "bob", carol[] = "carol", *saes[] = {bob, carol}, strict[] = "strict";
    struct kme_config config;

    memset(&config, 0, sizeof(config));
    config.etsi004.compat = strict;
    links[0].peer_saes = (struct config_names){saes, COUNT_OF(saes)};
    config.links.items = links;
    config.links.count = COUNT_OF(links);
    config.limits.default_chunk_bytes = 32;
    config.limits.max_chunk_bytes = 4096;
    config.limits.default_timeout_ms = 5000;
    config.limits.max_timeout_ms = 60000;
    config.limits.default_ttl_s = 3600;
    config.limits.max_ttl_s = 86400;
    config.limits.max_stream_bps = 1000000000;
    return config;
}

static void test_what_is_left_to_us_is_our_default(void **state)
{
    const struct kme_config config = make_config();
    const struct etsi004_qos nothing = {0};
    struct etsi004_qos granted;

    (void)state;
    assert_true(qos004_grant(&config, &nothing, 0, &granted));
    assert_int_equal(granted.key_chunk_size_bytes, 32);
    assert_int_equal(granted.max_bps, 1000000000);
    assert_int_equal(granted.min_bps, 0);
    assert_int_equal(granted.timeout_ms, 5000);
    assert_int_equal(granted.ttl_s, 3600);
    assert_string_equal(granted.metadata_mimetype, "");
}

static void test_what_we_can_do_is_granted_as_asked(void **state)
{
    const struct kme_config config = make_config();
    const struct etsi004_qos asked = {4096, 40000, 5000, 10, 3, 60000, 86400, "application/json"};
    struct etsi004_qos granted;

    (void)state;
    assert_true(qos004_grant(&config, &asked, 5000, &granted));
    assert_memory_equal(&granted, &asked, sizeof(asked));
}

static void test_wishes_are_lowered_and_demands_refused(void **state)
{
    const struct kme_config config = make_config();
    const struct etsi004_qos wishes = {
        .max_bps = UINT32_MAX, .timeout_ms = UINT32_MAX, .ttl_s = UINT32_MAX};
    const struct etsi004_qos demands[] = {
        {.key_chunk_size_bytes = 4097}, {.min_bps = 1001}, {.metadata_mimetype = "text/plain"}};
    struct etsi004_qos granted;

    (void)state;
    assert_true(qos004_grant(&config, &wishes, 1000, &granted));
    assert_int_equal(granted.max_bps, 1000000000);
    assert_int_equal(granted.timeout_ms, 60000);
    assert_int_equal(granted.ttl_s, 86400);
    for (size_t i = 0; i < COUNT_OF(demands); i++)
        assert_false(qos004_grant(&config, &demands[i], 1000, &granted));
    assert_string_equal(granted.metadata_mimetype, "application/json");
}

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    return *random >> (*random % 29);
}

static void test_every_proposal_would_be_granted_unchanged(void **state)
{
    const struct kme_config config = make_config();
    static const char *const types[] = {"", "application/json", "text/plain", "a"};
    uint32_t random = 1;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct etsi004_qos asked = {
            next_random(&random), next_random(&random), next_random(&random), next_random(&random),
            next_random(&random), next_random(&random), next_random(&random), ""};
        int64_t free_bps = (int64_t)(next_random(&random) % 2000000) - 1000;
        struct etsi004_qos proposal, granted;

        strcpy(asked.metadata_mimetype, types[next_random(&random) % COUNT_OF(types)]);
        qos004_grant(&config, &asked, free_bps, &proposal);
        if (proposal.min_bps > 0 || free_bps >= 0)
            assert_true(qos004_grant(&config, &proposal, free_bps, &granted));
        else
            qos004_grant(&config, &proposal, 0, &granted);
        assert_memory_equal(&granted, &proposal, sizeof(granted));
    }
}

static void test_a_call_waits_less_than_its_timeout(void **state)
{
    static char strict_name[] = "strict", qubip_name[] = "qubip";
    struct kme_config config = make_config();
    const struct policy004 *strict, *qubip;

    (void)state;
    config.etsi004.compat = strict_name;
    strict = policy004_of(&config);
    config.etsi004.compat = qubip_name;
    qubip = policy004_of(&config);
    assert_false(strict->opens_at_once || strict->repeats_positions || strict->reopens);
    assert_true(qubip->opens_at_once && qubip->timeout_0_is_now);
    assert_int_equal(policy004_wait_ms(strict, 5000), 4750);
    assert_int_equal(policy004_wait_ms(strict, 500), 250);
    assert_int_equal(policy004_wait_ms(strict, 501), 251);
    assert_int_equal(policy004_wait_ms(strict, 100), 50);
    assert_int_equal(policy004_wait_ms(strict, 60000), 59750);
    assert_int_equal(policy004_wait_ms(qubip, 5000), 4500);
    assert_int_equal(policy004_wait_ms(qubip, 1000), 750);
}

static void test_a_uri_has_a_scheme_and_an_authority(void **state)
{
    static const char *const good[] = {"sae://bob", "client://a", "x+y-z.1://host:5/path?q#f",
                                       "s://[::1]:99"};
    static const char *const bad[] = {"",          "bob",      "sae:bob",  "sae://",
                                      "sae:///p",  "://bob",   "1x://bob", "sae//bob",
                                      "s e://bob", "sae://?q", "sae:/bob"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(uri004_is_good(good[i]));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(uri004_is_good(bad[i]));
}

static const char *named(const struct kme_config *config, const char *uri)
{
    const char *sae = uri004_peer_sae(config, uri);

    return sae == NULL ? "nobody" : sae;
}

static void test_whom_a_uri_names(void **state)
{
    struct kme_config config = make_config();

    (void)state;
    assert_string_equal(named(&config, "sae://bob"), "bob");
    assert_string_equal(named(&config, "SAE://carol"), "carol");
    assert_string_equal(named(&config, "sae://Bob"), "nobody");
    assert_string_equal(named(&config, "sae://bob/"), "nobody");
    assert_string_equal(named(&config, "server://bob:25575/x"), "bob");
    assert_string_equal(named(&config, "server://user:token@carol/x"), "carol");
    assert_string_equal(named(&config, "server://bobby"), "nobody");
    assert_string_equal(named(&config, "server://elsewhere"), "nobody");
    config.links.items[0].peer_saes.count = 1;
    assert_string_equal(named(&config, "server://elsewhere"), "bob");
    assert_string_equal(named(&config, "sae://carol"), "nobody");
    assert_true(uri004_may_be("sae://alice", "alice"));
    assert_true(uri004_may_be("client://anything", "alice"));
    assert_false(uri004_may_be("sae://alic", "alice"));
    assert_false(uri004_may_be("sae://alicee", "alice"));
}

static void test_a_pair_of_uris_has_no_order(void **state)
{
    (void)state;
    assert_true(uri004_same_pair("a", "b", "a", "b"));
    assert_true(uri004_same_pair("a", "b", "b", "a"));
    assert_false(uri004_same_pair("a", "b", "a", "a"));
    assert_false(uri004_same_pair("a", "b", "b", "b"));
    assert_false(uri004_same_pair("a", "b", "a", "c"));
}

static struct key_id id_of(uint32_t number)
{
    struct key_id id = {{0}};

    memcpy(id.octets, &number, sizeof(number));
    return id;
}

static void test_burnt_ids_are_remembered_for_their_time(void **state)
{
    struct burnt004 burnt;
    struct key_id one = id_of(1), other = id_of(2);

    (void)state;
    burnt004_init(&burnt);
    burnt004_add(&burnt, &one, 10);
    burnt004_add(&burnt, &other, 20);
    assert_true(burnt004_has(&burnt, &one) && burnt004_has(&burnt, &other));
    burnt004_expire(&burnt, 10);
    assert_false(burnt004_has(&burnt, &one));
    assert_true(burnt004_has(&burnt, &other));
    burnt004_add(&burnt, &other, 30); /* again */
    burnt004_expire(&burnt, 20);
    assert_true(burnt004_has(&burnt, &other));
    burnt004_free(&burnt);
}

static void test_burnt_ids_are_bounded_and_the_oldest_goes(void **state)
{
    struct burnt004 burnt;
    struct key_id first = id_of(0), second = id_of(1), last = id_of(BURNT004_MAX);

    (void)state;
    burnt004_init(&burnt);
    for (uint32_t i = 0; i <= BURNT004_MAX; i++) {
        struct key_id id = id_of(i);

        burnt004_add(&burnt, &id, i);
    }
    assert_false(burnt004_has(&burnt, &first));
    assert_true(burnt004_has(&burnt, &second) && burnt004_has(&burnt, &last));
    burnt004_free(&burnt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_left_to_us_is_our_default),
        cmocka_unit_test(test_what_we_can_do_is_granted_as_asked),
        cmocka_unit_test(test_wishes_are_lowered_and_demands_refused),
        cmocka_unit_test(test_every_proposal_would_be_granted_unchanged),
        cmocka_unit_test(test_a_call_waits_less_than_its_timeout),
        cmocka_unit_test(test_a_uri_has_a_scheme_and_an_authority),
        cmocka_unit_test(test_whom_a_uri_names),
        cmocka_unit_test(test_a_pair_of_uris_has_no_order),
        cmocka_unit_test(test_burnt_ids_are_remembered_for_their_time),
        cmocka_unit_test(test_burnt_ids_are_bounded_and_the_oldest_goes),
    };

    return RUN_TESTS(tests);
}
