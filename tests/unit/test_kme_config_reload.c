/* SPDX-License-Identifier: Apache-2.0 */
/* kme/config.h: links of one file, and what another file may change while they run. */
#include "tests/unit/config_file.h"

#define LINK(kme, port, sae)                                                                       \
    "{ peer_kme_id = \"" kme "\"; listen = \"127.0.0.1:1003\"; connect = \"127.0.0.1:" port        \
    "\"; peer_saes = ( \"" sae "\" ); }"

static const char one_link[] = "link = { peer_kme_id = \"kme-b\"; listen = \"127.0.0.1:1003\";\n"
                               "  connect = \"[::1]:1004\"; peer_saes = ( \"bob\" );\n"
                               "};";

static void test_there_may_be_many_links(void **state)
{
    struct status status = STATUS_INIT;
    struct kme_config *config = load_changed(
        one_link, "links = ( " LINK("kme-b", "1004", "bob") ", " LINK("kme-c", "1005", "eve") " );",
        &status);

    (void)state;
    assert_non_null(config);
    assert_int_equal(config->links.count, 2);
    assert_string_equal(kme_config_link_of_sae(config, "eve")->peer_kme_id, "kme-c");
    assert_string_equal(kme_config_link(config, "kme-b")->connect.text, "127.0.0.1:1004");
    assert_int_equal(kme_config_link(config, "kme-c")->capacity_bits, 8388608);
    kme_config_free(config);
}

static void test_links_that_do_not_fit_together_are_refused(void **state)
{
    (void)state;
    assert_refused(one_link, "", 0, "link is missing");
    assert_refused(one_link, "links = ();", 6, "links is not a list");
    assert_refused(one_link, "links = ( 7 );", 6, "links[0] is not a group");
    assert_refused("link = {", "links = ();\nlink = {", 6, "links cannot stand beside link");
    assert_refused(one_link,
                   "links = ( " LINK("kme-b", "1", "bob") ",\n" LINK("kme-b", "2", "eve") " );", 7,
                   "links[1].peer_kme_id = \"kme-b\" is that of another link");
    assert_refused(one_link,
                   "links = ( " LINK("kme-b", "1", "bob") ",\n" LINK("kme-c", "2", "bob") " );", 7,
                   "links[1].peer_saes[0] = \"bob\" is behind 'kme-b', too");
    assert_refused(one_link, "links = ( " LINK("kme-b", "1", "carol") " );", 6,
                   "links[0].peer_saes[0] = \"carol\" is in saes, too");
    assert_refused("( \"bob\" )", "( \"bob\", \"bob\" )", 7,
                   "link.peer_saes[1] = \"bob\" is there twice");
}

static void test_a_reload_keeps_the_links_that_run(void **state)
{
    struct status status = STATUS_INIT;
    struct kme_config *running = load_changed(
        one_link, "links = ( " LINK("kme-b", "1004", "bob") ", " LINK("kme-c", "1005", "eve") " );",
        &status);
    struct kme_config *fresh = load_changed(
        one_link, "links = ( " LINK("kme-d", "1006", "fay") ", " LINK("kme-c", "1007", "bob") " );",
        &status);

    (void)state;
    assert_non_null(running);
    assert_non_null(fresh);
    assert_true(kme_config_keep_fixed(fresh, running, NULL));
    assert_int_equal(fresh->links.count, 2);
    assert_null(kme_config_link(fresh, "kme-d"));
    assert_null(kme_config_link_of_sae(fresh, "fay"));
    assert_null(kme_config_link_of_sae(fresh, "eve"));
    assert_int_equal(kme_config_link(fresh, "kme-b")->peer_saes.count, 0);
    assert_string_equal(kme_config_link_of_sae(fresh, "bob")->peer_kme_id, "kme-c");
    assert_string_equal(kme_config_link(fresh, "kme-c")->connect.text, "127.0.0.1:1005");
    kme_config_free(running);
    kme_config_free(fresh);
}

/* It is up, and takes connections: by the rule that it was started with. */
static void test_a_link_that_leaves_the_file_knows_its_peer_as_before(void **state)
{
    struct status status = STATUS_INIT;
    struct kme_config *running = load_changed(
        "peer_kme_id =", "peer_cert_fingerprint = \"" HEX32 "\"; peer_kme_id =", &status);
    struct kme_config *fresh =
        load_changed(one_link, "links = ( " LINK("kme-d", "1006", "fay") " );", &status);

    (void)state;
    assert_non_null(running);
    assert_non_null(fresh);
    assert_true(kme_config_keep_fixed(fresh, running, NULL));
    assert_int_equal(kme_config_link(fresh, "kme-b")->peer_fingerprints.count, 1);
    assert_int_equal(kme_config_link(fresh, "kme-b")->peer_fingerprints.items[0].octets[31], 0xff);
    kme_config_free(running);
    kme_config_free(fresh);
}

static void test_the_certificate_of_a_peer_is_none_of_an_sae(void **state)
{
    (void)state;
    assert_refused("{ id = \"carol\"; cn = \"Carol\"; } );\nlink = {",
                   "{ id = \"carol\"; fingerprint = \"" HEX32 "\"; } );\n"
                   "link = { peer_cert_fingerprint = \"" HEX32_COLONS "\";",
                   0, "saes: 'carol' has the fingerprint of peer key server 'kme-b'");
}

static void test_a_reload_keeps_the_store(void **state)
{
    struct status status = STATUS_INIT;
    struct kme_config *without = load(good, &status);
    struct kme_config *with =
        load_changed("link = {", STORE("key_file = \"/k/a.key\";") "link = {", &status);
    struct kme_config *again = load(good, &status);

    (void)state;
    assert_non_null(without);
    assert_non_null(with);
    assert_non_null(again);
    assert_true(kme_config_keep_fixed(again, with, NULL));
    assert_string_equal(again->store.path, with->store.path);
    assert_string_equal(again->store.key_file, "/k/a.key");
    assert_int_equal(again->store.window_bits, 1048576);
    assert_true(kme_config_keep_fixed(again, without, NULL));
    assert_null(again->store.path);
    assert_null(again->store.key_file);
    assert_int_equal(again->store.window_bits, 0);
    kme_config_free(without);
    kme_config_free(with);
    kme_config_free(again);
}

static void test_a_reload_keeps_what_needs_a_restart(void **state)
{
    struct status status = STATUS_INIT;
    struct kme_config *running = load(good, &status);
    struct kme_config *fresh = load_changed(
        "127.0.0.1:1001\"; };", "127.0.0.1:2001\"; };\nlimits = { hold_ms = 7; };", &status);

    (void)state;
    assert_non_null(running);
    assert_non_null(fresh);
    assert_true(kme_config_keep_fixed(fresh, running, NULL));
    assert_string_equal(fresh->etsi014.listen.text, "127.0.0.1:1001");
    assert_int_equal(fresh->limits.hold_ms, 7);
    kme_config_free(running);
    kme_config_free(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_may_be_many_links),
        cmocka_unit_test(test_links_that_do_not_fit_together_are_refused),
        cmocka_unit_test(test_a_reload_keeps_the_links_that_run),
        cmocka_unit_test(test_a_link_that_leaves_the_file_knows_its_peer_as_before),
        cmocka_unit_test(test_the_certificate_of_a_peer_is_none_of_an_sae),
        cmocka_unit_test(test_a_reload_keeps_the_store),
        cmocka_unit_test(test_a_reload_keeps_what_needs_a_restart),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
