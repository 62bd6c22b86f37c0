/* SPDX-License-Identifier: Apache-2.0 */
/* kme/config.h: what is accepted, and that every refusal names file, line and key. */
#include "tests/unit/config_file.h"

static void test_a_good_file_gives_values_and_defaults(void **state)
{
    struct status status = STATUS_INIT;
    struct kme_config *config = load(good, &status);
    char cert[sizeof(path) + 16];

    (void)state;
    assert_non_null(config);
    assert_string_equal(config->kme_id, "kme-a");
    snprintf(cert, sizeof(cert), "%s/pki/a.pem", folder);
    assert_string_equal(config->cert, cert);
    assert_string_equal(config->key, "/abs/a.key");
    assert_string_equal(config->log_level, "info");
    assert_string_equal(config->links.items[0].connect.text, "[::1]:1004");
    assert_int_equal(config->links.items[0].simulated_rate_bps, 1000000);
    assert_int_equal(config->links.items[0].capacity_bits, 8388608);
    assert_int_equal(config->limits.default_key_bits, 256);
    assert_int_equal(config->limits.min_key_bits, 8);
    assert_int_equal(config->limits.max_key_bits, 65536);
    assert_int_equal(config->limits.max_keys_per_request, 128);
    assert_int_equal(config->limits.key_lifetime_s, 3600);
    assert_int_equal(config->limits.hold_ms, 2000);
    assert_int_equal(config->limits.max_connections, 1024);
    assert_int_equal(config->limits.idle_timeout_s, 120);
    assert_string_equal(kme_config_sae(config, "alice")->cns.items[0], "alice");
    assert_string_equal(kme_config_sae(config, "carol")->cns.items[0], "Carol");
    assert_null(kme_config_sae(config, "Carol"));
    assert_int_equal(config->links.count, 1);
    assert_ptr_equal(kme_config_link_of_sae(config, "bob"), config->links.items);
    assert_null(kme_config_link_of_sae(config, "Bob"));
    assert_ptr_equal(kme_config_link(config, "kme-b"), config->links.items);
    assert_null(kme_config_link(config, "kme-a"));
    kme_config_free(config);
}

static void test_a_file_that_is_not_there_is_named_with_the_reason(void **state)
{
    struct status status = STATUS_INIT;

    (void)state;
    assert_null(kme_config_load("/nowhere/kme.conf", &status));
    assert_int_equal(status.outcome, OUTCOME_CONFIG);
    assert_non_null(strstr(status.text, "/nowhere/kme.conf: No such file or directory"));
}

static void test_etsi004_may_be_left_out(void **state)
{
    struct status status = STATUS_INIT;
    struct kme_config *config = load(good, &status);

    (void)state;
    assert_non_null(config);
    assert_string_equal(config->etsi004.listen.text, "");
    assert_int_equal(config->limits.max_streams, 4096);
    assert_int_equal(config->limits.max_streams_per_sae, 2048);
    assert_int_equal(config->limits.default_chunk_bytes, 32);
    assert_int_equal(config->limits.max_chunk_bytes, 8192);
    assert_int_equal(config->limits.default_timeout_ms, 5000);
    assert_int_equal(config->limits.max_timeout_ms, 60000);
    assert_int_equal(config->limits.default_ttl_s, 3600);
    assert_int_equal(config->limits.max_ttl_s, 86400);
    assert_int_equal(config->limits.max_stream_bps, 1000000000);
    assert_int_equal(config->limits.stream_window_chunks, 1024);
    kme_config_free(config);
    config = load_changed("link = {", ETSI004("") "link = {", &status);
    assert_string_equal(config->etsi004.listen.text, "127.0.0.1:1005");
    assert_string_equal(config->etsi004.compat, "strict");
    kme_config_free(config);
    config = load_changed("link = {", ETSI004("compat = \"qubip\";") "link = {", &status);
    assert_string_equal(config->etsi004.compat, "qubip");
    kme_config_free(config);
}

static void test_a_store_may_be_left_out(void **state)
{
    struct status status = STATUS_INIT;
    struct kme_config *config = load(good, &status);
    char beside[sizeof(path) + 16];

    (void)state;
    assert_non_null(config);
    assert_null(config->store.path);
    assert_null(config->store.key_file);
    assert_int_equal(config->store.window_bits, 0);
    kme_config_free(config);
    config = load_changed("link = {", STORE("") "link = {", &status);
    assert_non_null(config);
    snprintf(beside, sizeof(beside), "%s/a.db", folder);
    assert_string_equal(config->store.path, beside);
    assert_null(config->store.key_file);
    assert_int_equal(config->store.window_bits, 1048576);
    kme_config_free(config);
    config = load_changed(
        "link = {", STORE("key_file = \"/k/a.key\"; window_bits = 65536;") "link = {", &status);
    assert_non_null(config);
    assert_string_equal(config->store.key_file, "/k/a.key");
    assert_int_equal(config->store.window_bits, 65536);
    kme_config_free(config);
}

static void test_unknown_members_are_refused_with_their_line(void **state)
{
    (void)state;
    assert_refused("kme_id", "colour = 1;\nkme_id", 1, "colour is unknown");
    assert_refused("peer_saes =", "rate = 5; peer_saes =", 7, "link.rate is unknown");
    assert_refused("cn = ", "dn = ", 5, "dn is unknown");
    assert_refused("link = {", "etsi020 = { };\nlink = {", 6, "etsi020 is unknown");
}

static void test_missing_members_are_refused(void **state)
{
    (void)state;
    assert_refused("kme_id = \"kme-a\";", "", 0, "kme_id is missing");
    assert_refused("admin = { listen = \"127.0.0.1:1002\"; };", "", 0, "admin.listen is missing");
    assert_refused("peer_saes = ( \"bob\" );", "", 6, "link has no peer_saes");
    assert_refused("{ id = \"alice\"; }", "{ }", 5, "has no id");
}

static void test_wrong_values_are_refused_with_their_line(void **state)
{
    (void)state;
    assert_refused("\"kme-a\"", "7", 1, "kme_id is not a text");
    assert_refused("\"kme-a\"", "\"\"", 1, "kme_id is not a text");
    assert_refused("127.0.0.1:1001", "127.0.0.1", 3, "etsi014.listen is not a numeric address");
    assert_refused("127.0.0.1:1001", "127.0.0.1:0", 3, "etsi014.listen is not a numeric address");
    assert_refused("127.0.0.1:1001", "127.0.0.1:65536", 3, "etsi014.listen is not");
    assert_refused("127.0.0.1:1002", "0.0.0.0:1002", 4, "admin.listen = \"0.0.0.0:1002\"");
    assert_refused("( \"bob\" )", "\"bob\"", 7, "link.peer_saes is not a list");
    assert_refused("etsi014 = { listen = \"127.0.0.1:1001\"; };", "etsi014 = 1;", 3,
                   "etsi014 is not a group");
    assert_refused("( \"bob\" );\n", "( \"bob\" );\n  simulated_rate_bps = -1;\n", 8,
                   "link.simulated_rate_bps = -1 is outside 0 to 1000000000");
    assert_refused("( \"bob\" );\n", "( \"bob\" );\n  capacity_bits = \"many\";\n", 8,
                   "link.capacity_bits is not a whole number");
    assert_refused("link = {", "limits = { hold_ms = 60001; };\nlink = {", 6, "limits.hold_ms");
    assert_refused("kme_id = ", "kme_id ", 1, "syntax error");
}

static void test_values_that_do_not_fit_together_are_refused(void **state)
{
    (void)state;
    assert_refused("\"kme-b\"", "\"kme-a\"", 6, "link.peer_kme_id is our own kme_id");
    assert_refused("link = {", "limits = { min_key_bits = 512; };\nlink = {", 0, "min_key_bits");
    assert_refused("link = {", "limits = { default_key_bits = 257; };\nlink = {", 0,
                   "default_key_bits");
    assert_refused("id = \"carol\"", "id = \"alice\"", 5, "there twice");
    assert_refused("cn = \"Carol\"", "cn = \"alice\"", 5, "there twice");
    assert_refused("cn = \"Carol\"", "cn = \"kme-b\"", 0, "CN of a key server");
    assert_refused("\"bob\"", "\"alice\"", 7, "link.peer_saes[0] = \"alice\" is in saes, too");
    assert_refused("link = {",
                   "limits = { default_chunk_bytes = 64; max_chunk_bytes = 32; };\nlink = {", 0,
                   "default_chunk_bytes <= max_chunk_bytes");
    assert_refused("link = {", "limits = { max_timeout_ms = 4999; };\nlink = {", 0,
                   "default_timeout_ms <= max_timeout_ms");
    assert_refused("link = {", "limits = { default_ttl_s = 86401; };\nlink = {", 0,
                   "default_ttl_s <= max_ttl_s");
    assert_refused("link = {", ETSI004("compat = \"lax\";") "link = {", 0,
                   "etsi004.compat = \"lax\" is neither");
    assert_refused("link = {", "etsi004 = { };\nlink = {", 0, "etsi004.listen is missing");
    assert_refused("link = {", "store = { };\nlink = {", 0, "store.path is missing");
    assert_refused("link = {", STORE("window_bits = 1;") "link = {", 6,
                   "store.window_bits = 1 is outside 65536 to");
    assert_refused("link = {", "log_level = \"loud\";\nlink = {", 0, "log_level");
    assert_refused("link = {", "log_level = \"info:/tmp/x\";\nlink = {", 0, "log_level");
}

static void test_an_sae_may_be_known_by_several_rules(void **state)
{
    struct status status = STATUS_INIT;
    struct kme_config *config = load_changed(
        "{ id = \"alice\"; }",
        "{ id = \"alice\"; san_uri = ( \"urn:a\", \"urn:b\" ); },"
        "{ id = \"dave\"; san_dns = \"dave.example\"; fingerprint = \"" HEX32_COLONS "\"; }",
        &status);
    const struct config_sae *alice, *dave;

    (void)state;
    assert_non_null(config);
    alice = kme_config_sae(config, "alice");
    dave = kme_config_sae(config, "dave");
    assert_int_equal(alice->cns.count, 0);
    assert_int_equal(alice->san_uris.count, 2);
    assert_string_equal(alice->san_uris.items[1], "urn:b");
    assert_string_equal(dave->san_dnss.items[0], "dave.example");
    assert_int_equal(dave->fingerprints.count, 1);
    assert_int_equal(dave->fingerprints.items[0].octets[31], 0xff);
    kme_config_free(config);
}

static void test_rules_that_are_wrong_or_twice_are_refused(void **state)
{
    static const char *const alice = "{ id = \"alice\"; }";

    (void)state;
    assert_refused(alice, "{ id = \"alice\"; fingerprint = \"" HEX32 "00\"; }", 5,
                   "saes[0].fingerprint is not a SHA-256");
    assert_refused(alice, "{ id = \"alice\"; fingerprint = ( \"xy\" ); }", 5,
                   "saes[0].fingerprint[0] is not a SHA-256");
    assert_refused(alice, "{ id = \"alice\"; san_uri = 5; }", 5,
                   "saes[0].san_uri is not a list of texts, nor a text");
    assert_refused(alice, "{ id = \"alice\"; san_uri = ( \"\" ); }", 5,
                   "saes[0].san_uri[0] is not a text of 1 to");
    assert_refused(alice,
                   "{ id = \"x\"; san_dns = \"a.example\"; },"
                   "{ id = \"y\"; san_dns = \"A.Example\"; }",
                   5, "saes[1] has a san_dns that is there twice");
    assert_refused(alice,
                   "{ id = \"x\"; fingerprint = \"" HEX32 "\"; },"
                   "{ id = \"y\"; fingerprint = \"" HEX32_COLONS "\"; }",
                   5, "saes[1] has a fingerprint that is there twice");
    assert_refused("peer_kme_id =", "peer_cert_fingerprint = 1; peer_kme_id =", 6,
                   "link.peer_cert_fingerprint is not a list");
}

static void test_misbehaviour_is_off_and_its_rules_are_checked(void **state)
{
    struct status status = STATUS_INIT;
    struct kme_config *config = load(good, &status);

    (void)state;
    assert_non_null(config);
    assert_false(config->admin.allow_misbehave);
    assert_int_equal(config->misbehave.count, 0);
    kme_config_free(config);
    config = load_changed("link = {",
                          "misbehave = ( { kind = \"drop\"; sae = \"alice\"; percent = 5; },\n"
                          "  { kind = \"delay\"; ms = 20L; } );\nlink = {",
                          &status);
    assert_non_null(config);
    assert_int_equal(config->misbehave.count, 2);
    assert_int_equal(config->misbehave.items[0].percent, 5);
    assert_int_equal(config->misbehave.items[1].max_ms, 20);
    kme_config_free(config);
    config = load_changed("1002\"; }", "1002\"; allow_misbehave = true; }", &status);
    assert_non_null(config);
    assert_true(config->admin.allow_misbehave);
    kme_config_free(config);
    assert_refused("1002\"; }", "1002\"; allow_misbehave = 1; }", 4,
                   "admin.allow_misbehave is neither true nor false");
    assert_refused("link = {", "misbehave = 1;\nlink = {", 6, "misbehave is not a list");
    assert_refused("link = {", "misbehave = ( 1 );\nlink = {", 6, "is not of the form");
    assert_refused("link = {", "misbehave = (\n{ kind = \"drop\"; ms = 5; } );\nlink = {", 7,
                   "are for a delay");
    assert_refused("link = {", "misbehave = ( { kind = true; } );\nlink = {", 6,
                   "neither a text nor a number");
    assert_refused("link = {", "misbehave = ( { kind = \"drop\"; sae = \"bob\"; } );\nlink = {", 0,
                   "'bob' is no SAE of this site");
}

static void test_a_missing_file_is_refused(void **state)
{
    struct status status = STATUS_INIT;

    (void)state;
    assert_null(kme_config_load("/nonexistent/kme.conf", &status));
    assert_int_equal(status.outcome, OUTCOME_CONFIG);
    assert_non_null(strstr(status.text, "/nonexistent/kme.conf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_file_gives_values_and_defaults),
        cmocka_unit_test(test_a_file_that_is_not_there_is_named_with_the_reason),
        cmocka_unit_test(test_etsi004_may_be_left_out),
        cmocka_unit_test(test_a_store_may_be_left_out),
        cmocka_unit_test(test_unknown_members_are_refused_with_their_line),
        cmocka_unit_test(test_missing_members_are_refused),
        cmocka_unit_test(test_wrong_values_are_refused_with_their_line),
        cmocka_unit_test(test_values_that_do_not_fit_together_are_refused),
        cmocka_unit_test(test_an_sae_may_be_known_by_several_rules),
        cmocka_unit_test(test_rules_that_are_wrong_or_twice_are_refused),
        cmocka_unit_test(test_misbehaviour_is_off_and_its_rules_are_checked),
        cmocka_unit_test(test_a_missing_file_is_refused),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
