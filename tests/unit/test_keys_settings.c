/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pem.h"

#include "keys/settings.h"

static struct temp temp;
static char cert[TEMP_PATH_BYTES], key[TEMP_PATH_BYTES];

/* Good settings, but for one. */
static struct settings *with(enum setting_name name, const char *value)
{
    const char *values[SETTING_COUNT] = {
        [SETTING_SAE] = "alice", [SETTING_PEER] = "bob", [SETTING_KME] = "https://kme-a:8443",
        [SETTING_CERT] = cert,   [SETTING_KEY] = key,    [SETTING_CA] = cert,
    };
    struct settings *settings;

    values[name] = value;
    settings = settings_new(values);
    assert_non_null(settings);
    assert_false(settings_absent(settings));
    return settings;
}

static void good_settings_have_no_fault_and_defaults(void **state)
{
    struct settings *settings = with(SETTING_SAE, "alice");

    (void)state;
    assert_string_equal(settings_fault(settings)->text, "");
    assert_int_equal(settings_fault(settings)->outcome, OUTCOME_OK);
    assert_string_equal(settings_sae(settings), "alice");
    assert_string_equal(settings_peer(settings), "bob");
    assert_string_equal(settings_kme(settings), "https://kme-a:8443");
    assert_int_equal(settings_initiator(settings), INITIATOR_SERVER);
    assert_int_equal(settings_timeout_ms(settings), 1000);
    assert_int_equal(settings_number(settings, SETTING_POOL), 1);
    assert_int_equal(settings_kme_count(settings), 1);
    assert_string_equal(endpoint_address(settings_endpoint(settings))->host, "kme-a");
    assert_string_equal(endpoint_address(settings_endpoint(settings))->port, "8443");
    settings_free(settings);
}

static void given_values_replace_defaults(void **state)
{
    struct settings *settings = with(SETTING_INITIATOR, "client");

    (void)state;
    assert_int_equal(settings_initiator(settings), INITIATOR_CLIENT);
    settings_free(settings);
    settings = with(SETTING_INITIATOR, "server");
    assert_int_equal(settings_initiator(settings), INITIATOR_SERVER);
    settings_free(settings);
    settings = with(SETTING_TIMEOUT_MS, "10");
    assert_int_equal(settings_timeout_ms(settings), 10);
    settings_free(settings);
    settings = with(SETTING_TIMEOUT_MS, "60000");
    assert_int_equal(settings_timeout_ms(settings), 60000);
    settings_free(settings);
}

static void several_key_servers_are_kept_in_their_order(void **state)
{
    struct settings *settings =
        with(SETTING_KME, "https://kme-a:8443 ,https://kme-b:8443,  https://kme-b");

    (void)state;
    assert_string_equal(settings_fault(settings)->text, "");
    assert_int_equal(settings_kme_count(settings), 3);
    assert_string_equal(settings_kme_url(settings, 0), "https://kme-a:8443");
    assert_string_equal(settings_kme_url(settings, 1), "https://kme-b:8443");
    assert_string_equal(settings_kme_url(settings, 2), "https://kme-b");
    assert_ptr_equal(settings_endpoint(settings), settings_kme_endpoint(settings, 0));
    assert_string_equal(endpoint_address(settings_kme_endpoint(settings, 2))->port, "443");
    settings_free(settings);
}

static void a_number_is_taken_from_end_to_end_of_its_range(void **state)
{
    (void)state;
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_range *range = setting_range((enum setting_name)i);
        int wanted[] = {range != NULL ? range->least : 0, range != NULL ? range->most : 0};

        for (size_t j = 0; range != NULL && j < COUNT_OF(wanted); j++) {
            char value[16];
            struct settings *settings;

            snprintf(value, sizeof(value), "%d", wanted[j]);
            settings = with((enum setting_name)i, value);
            assert_string_equal(settings_fault(settings)->text, "");
            assert_int_equal(settings_number(settings, (enum setting_name)i), wanted[j]);
            settings_free(settings);
        }
    }
}

static const struct {
    enum setting_name name;
    const char *value;
    const char *reason;
} faults[] = {
    {SETTING_SAE, NULL, "sae is not set"},
    {SETTING_SAE, "", "sae is not set"},
    {SETTING_SAE, "bob", "sae and peer are both 'bob'"},
    {SETTING_PEER, NULL, "peer is not set"},
    {SETTING_PEER, "", "peer is not set"},
    {SETTING_KME, NULL, "kme is not set"},
    {SETTING_KME, "", "kme is not set"},
    {SETTING_KME, "http://kme-a:8443", "kme: 'http://kme-a:8443' is neither"},
    {SETTING_KME, "https://kme-a:x", "kme: 'https://kme-a:x' has no valid port"},
    {SETTING_KME, "https://kme-a/api", "kme: 'https://kme-a/api' goes on"},
    {SETTING_KME, "https://kme-a,", "kme: a URL is missing beside a comma"},
    {SETTING_KME, ",https://kme-a", "kme: a URL is missing beside a comma"},
    {SETTING_KME, "https://kme-a, ,https://kme-b", "kme: a URL is missing beside a comma"},
    {SETTING_KME, "https://kme-a https://kme-b", "kme: 'https://kme-a https://kme-b'"},
    {SETTING_KME, "https://a,https://a:443/", "kme: 'https://a:443/' is named twice"},
    {SETTING_KME, "https://a,etsi004://b", "'https://a' and 'etsi004://b' are of two standards"},
    {SETTING_KME, "https://a,https://b,https://c,https://d,https://e", "kme: more than 4 URLs"},
    {SETTING_POOL, "0", "pool = '0' is not a number from 1 to 1024"},
    {SETTING_POOL, "1025", "pool = '1025' is not a number from 1 to 1024"},
    {SETTING_POOL_MAX_AGE_S, "30s", "pool-max-age-s = '30s' is not a number from 1 to 3600"},
    {SETTING_MAX_KEYS_PER_SECOND, "0", "max-keys-per-second = '0' is not a number"},
    {SETTING_MAX_KEYS_BURST, "", "max-keys-burst = '' is not a number from 1 to 1000000"},
    {SETTING_SOURCE_URI, "", "source-uri = ''"},
    {SETTING_SOURCE_URI, "alice", "source-uri = 'alice' is not a URI"},
    {SETTING_DESTINATION_URI, "sae:bob", "destination-uri = 'sae:bob' is not a URI"},
    {SETTING_ETSI004_DIALECT, "", "etsi004-dialect = ''"},
    {SETTING_ETSI004_DIALECT, "w3", "etsi004-dialect = 'w3' is not one of w1, w2, qubip"},
    {SETTING_CERT, NULL, "cert is not set"},
    {SETTING_CERT, "", "cert is not set"},
    {SETTING_CERT, "/nonexistent/cert.pem", "cert: cannot open '/nonexistent/cert.pem'"},
    {SETTING_CERT, "/", "cert: '/' is not a regular file"},
    {SETTING_CERT, "/dev/null", "cert: '/dev/null' is not a regular file"},
    {SETTING_CERT, "/dev/zero", "cert: '/dev/zero' is not a regular file"},
    {SETTING_KEY, NULL, "key is not set"},
    {SETTING_KEY, "/nonexistent/key.pem", "key: cannot open '/nonexistent/key.pem'"},
    {SETTING_CA, NULL, "ca is not set"},
    {SETTING_CA, "/nonexistent/ca.pem", "ca: cannot open '/nonexistent/ca.pem'"},
    {SETTING_INITIATOR, "", "initiator = ''"},
    {SETTING_INITIATOR, "Client", "initiator = 'Client' is neither client nor server"},
    {SETTING_KME_GROUPS, "", "kme-groups = '' is not a list such as"},
    {SETTING_KME_REQUIRE_PQ, "", "kme-require-pq = '' is neither yes nor no"},
    {SETTING_KME_REQUIRE_PQ, "Yes", "kme-require-pq = 'Yes' is neither yes nor no"},
    {SETTING_TIMEOUT_MS, "", "timeout-ms = ''"},
    {SETTING_TIMEOUT_MS, "9", "timeout-ms = '9' is not a number from 10 to 60000"},
    {SETTING_TIMEOUT_MS, "60001", "timeout-ms = '60001'"},
    {SETTING_TIMEOUT_MS, "1e3", "timeout-ms = '1e3'"},
    {SETTING_TIMEOUT_MS, "1000ms", "timeout-ms = '1000ms'"},
    {SETTING_TIMEOUT_MS, " 1000", "timeout-ms = ' 1000'"},
    {SETTING_TIMEOUT_MS, "-1000", "timeout-ms = '-1000'"},
    {SETTING_TIMEOUT_MS, "99999999999999999999", "timeout-ms = '99999999999999999999'"},
};

static void each_bad_value_is_a_fault_that_names_its_setting(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct settings *settings = with(faults[i].name, faults[i].value);

        assert_failed(settings_fault(settings), OUTCOME_CONFIG, faults[i].reason);
        settings_free(settings);
    }
}

static void etsi_004_has_defaults_of_its_own(void **state)
{
    struct settings *settings = with(SETTING_KME, "etsi004://kme-a");

    (void)state;
    assert_string_equal(settings_fault(settings)->text, "");
    assert_int_equal(settings_api(settings), ENDPOINT_ETSI004);
    assert_int_equal(settings_initiator(settings), INITIATOR_CLIENT);
    assert_int_equal(settings_etsi004_dialect(settings), DIALECT004_W1);
    assert_string_equal(settings_source_uri(settings), "sae://alice");
    assert_string_equal(settings_destination_uri(settings), "sae://bob");
    assert_string_equal(endpoint_address(settings_endpoint(settings))->port, "25575");
    settings_free(settings);
}

static void a_stream_is_opened_by_the_client(void **state)
{
    const char *values[SETTING_COUNT] = {
        [SETTING_SAE] = "alice",
        [SETTING_PEER] = "bob",
        [SETTING_KME] = "etsi004://kme-a",
        [SETTING_INITIATOR] = "server",
    };
    struct settings *settings = settings_new(values);

    (void)state;
    assert_failed(settings_fault(settings), OUTCOME_CONFIG, "initiator = 'server' needs ETSI 014");
    settings_free(settings);
}

static void an_sae_may_have_255_characters_and_no_more(void **state)
{
    char name[300];

    (void)state;
    memset(name, 's', sizeof(name));
    for (int setting = SETTING_SAE; setting <= SETTING_PEER; setting++) {
        struct settings *settings;

        name[255] = '\0';
        settings = with((enum setting_name)setting, name);
        assert_int_equal(settings_fault(settings)->outcome, OUTCOME_OK);
        settings_free(settings);
        memcpy(name + 255, "s", 2);
        settings = with((enum setting_name)setting, name);
        assert_failed(settings_fault(settings), OUTCOME_CONFIG,
                      setting == SETTING_SAE ? "sae is longer than 255 characters"
                                             : "peer is longer than 255 characters");
        settings_free(settings);
    }
}

static void no_settings_at_all_are_absent_and_a_fault(void **state)
{
    static const char *const nothing[SETTING_COUNT];
    struct settings *settings = settings_new(nothing);

    (void)state;
    assert_true(settings_absent(settings));
    assert_failed(settings_fault(settings), OUTCOME_CONFIG, "is not set");
    settings_free(settings);
    settings_free(NULL);
}

static void a_pem_file_of_another_kind_is_found_when_it_is_used(void **state)
{
    static const struct {
        enum setting_name name;
        const char *file;
        const char *reason;
    } swapped[] = {
        {SETTING_CERT, "key.pem", "cert: the file holds no PEM certificate"},
        {SETTING_KEY, "cert.pem", "key: the file holds no PEM private key"},
        {SETTING_CA, "key.pem", "ca: the file holds no PEM certificate"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(swapped); i++) {
        struct status status = STATUS_INIT;
        char path[TEMP_PATH_BYTES];
        struct settings *settings;

        temp_path(&temp, swapped[i].file, path);
        settings = with(swapped[i].name, path);
        assert_int_equal(settings_fault(settings)->outcome, OUTCOME_OK);
        assert_null(endpoint_tls(settings_endpoint(settings), &status));
        assert_failed(&status, OUTCOME_CONFIG, swapped[i].reason);
        settings_free(settings);
    }
}

static void groups_of_the_way_to_the_kme_are_judged_by_openssl(void **state)
{
    struct status status = STATUS_INIT;
    struct settings *settings = with(SETTING_KME_GROUPS, "X25519:P-256");

    (void)state;
    assert_int_equal(settings_fault(settings)->outcome, OUTCOME_OK);
    assert_non_null(endpoint_tls(settings_endpoint(settings), &status));
    assert_false(endpoint_requires_pq(settings_endpoint(settings)));
    settings_free(settings);
    settings = with(SETTING_KME_GROUPS, "X25519:P-2566");
    assert_int_equal(settings_fault(settings)->outcome, OUTCOME_OK);
    assert_null(endpoint_tls(settings_endpoint(settings), &status));
    assert_failed(&status, OUTCOME_CONFIG, "kme-groups = 'X25519:P-2566' is no list of groups");
    settings_free(settings);
}

static void to_require_a_hybrid_and_to_name_none_is_a_fault(void **state)
{
    const char *values[SETTING_COUNT] = {
        [SETTING_SAE] = "alice",
        [SETTING_PEER] = "bob",
        [SETTING_KME] = "https://kme-a",
        [SETTING_CERT] = cert,
        [SETTING_KEY] = key,
        [SETTING_CA] = cert,
        [SETTING_KME_GROUPS] = "X25519:P-256",
        [SETTING_KME_REQUIRE_PQ] = "yes",
    };
    struct settings *settings = settings_new(values);

    (void)state;
    assert_failed(settings_fault(settings), OUTCOME_CONFIG,
                  "kme-require-pq = yes, and kme-groups = 'X25519:P-256' names no post-quantum");
    settings_free(settings);
    values[SETTING_KME_GROUPS] = "X25519:x25519mlkem768";
    settings = settings_new(values);
    assert_int_equal(settings_fault(settings)->outcome, OUTCOME_OK);
    assert_true(endpoint_requires_pq(settings_endpoint(settings)));
    settings_free(settings);
}

static void every_setting_has_its_name_in_openssl_cnf(void **state)
{
    static const char *const names[SETTING_COUNT] = {"sae",
                                                     "peer",
                                                     "kme",
                                                     "cert",
                                                     "key",
                                                     "ca",
                                                     "initiator",
                                                     "timeout-ms",
                                                     "source-uri",
                                                     "destination-uri",
                                                     "etsi004-dialect",
                                                     "kme-groups",
                                                     "kme-require-pq",
                                                     "pool",
                                                     "pool-max-age-s",
                                                     "max-keys-per-second",
                                                     "max-keys-burst"};

    (void)state;
    for (int i = 0; i < SETTING_COUNT; i++)
        assert_string_equal(setting_text((enum setting_name)i), names[i]);
}

static int make_files(void **state)
{
    (void)state;
    temp_make(&temp);
    pem_write_identity(&temp);
    temp_path(&temp, "cert.pem", cert);
    temp_path(&temp, "key.pem", key);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    temp_remove(&temp);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_settings_have_no_fault_and_defaults),
        cmocka_unit_test(given_values_replace_defaults),
        cmocka_unit_test(several_key_servers_are_kept_in_their_order),
        cmocka_unit_test(a_number_is_taken_from_end_to_end_of_its_range),
        cmocka_unit_test(each_bad_value_is_a_fault_that_names_its_setting),
        cmocka_unit_test(etsi_004_has_defaults_of_its_own),
        cmocka_unit_test(a_stream_is_opened_by_the_client),
        cmocka_unit_test(an_sae_may_have_255_characters_and_no_more),
        cmocka_unit_test(no_settings_at_all_are_absent_and_a_fault),
        cmocka_unit_test(a_pem_file_of_another_kind_is_found_when_it_is_used),
        cmocka_unit_test(groups_of_the_way_to_the_kme_are_judged_by_openssl),
        cmocka_unit_test(to_require_a_hybrid_and_to_name_none_is_a_fault),
        cmocka_unit_test(every_setting_has_its_name_in_openssl_cnf),
    };

    return cmocka_run_group_tests_name(__FILE__, tests, make_files, remove_files);
}
