/* SPDX-License-Identifier: Apache-2.0 */
/* The provider in a process: loading, several at once, what is advertised to TLS. */
#include "tests/unit/world.h"

#include <openssl/core_names.h>
#include <openssl/ssl.h>

#include "provider/groups.h"

enum { LOADS = 1000 };

static bool tls_takes(const struct world *world, const char *list)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(world->library, NULL, TLS_method());
    bool taken;

    assert_non_null(ctx);
    taken = SSL_CTX_set1_groups_list(ctx, list) == 1;
    SSL_CTX_free(ctx);
    return taken;
}

static void groups_that_can_be_had_are_advertised(void **state)
{
    struct world world;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "");
    for (int i = 0; i < GROUP_COUNT; i++)
        assert_int_equal(tls_takes(&world, groups[i].name), groups[i].public_bytes != 0);
    ERR_clear_error();
    assert_true(tls_takes(&world, "qkd_x25519mlkem768:qkd_x25519:X25519"));
    assert_false(world_was_called(&world));
    world_close(&world);
}

/* Wrong lines in place of good settings, and what each use must say. */
static const struct {
    const char *lines;
    const char *reason;
} faults[] = {
    {"timeout-ms = soon", "timeout-ms = 'soon' is not a number"},
    {"initiator = both", "initiator = 'both' is neither client nor server"},
    {"cert = /nonexistent/cert.pem", "cert: cannot open '/nonexistent/cert.pem'"},
    {"ca = /dev/null", "ca: '/dev/null' is not a regular file"},
    {"kme = http://localhost", "kme: 'http://localhost' is neither"},
    {"peer = alice", "sae and peer are both 'alice'"},
    {"codepoint-qkd_x25519 = 29", "codepoint-qkd_x25519 = '29' is not a number"},
    {"codepoint-qkd_x25519 = 0x001D", "codepoint-qkd_x25519 = 0x001D is the number of another"},
};

static void bad_settings_leave_the_groups_advertised_and_every_use_failing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct world world;

        world_open(&world, WORLD_SILENT, "alice", "bob", faults[i].lines);
        assert_true(tls_takes(&world, "qkd_x25519:qkd_x25519mlkem768"));
        assert_null(EVP_PKEY_Q_keygen(world.library, NULL, "qkd_x25519"));
        assert_raised(REASON_SETTING, faults[i].reason);
        world_close(&world);
    }
}

static void a_server_with_bad_settings_fails_before_it_answers(void **state)
{
    struct world good, bad;
    unsigned char *share = NULL;
    EVP_PKEY *own, *peer = NULL;
    EVP_PKEY_CTX *ctx;
    size_t length;

    (void)state;
    world_open(&good, WORLD_SILENT, "alice", "bob", "initiator = server");
    own = EVP_PKEY_Q_keygen(good.library, NULL, "qkd_x25519");
    length = EVP_PKEY_get1_encoded_public_key(own, &share);
    world_open(&bad, WORLD_SILENT, "bob", "alice", "timeout-ms = 0");
    ctx = EVP_PKEY_CTX_new_from_name(bad.library, "qkd_x25519", NULL);
    assert_true(EVP_PKEY_paramgen_init(ctx) == 1 && EVP_PKEY_paramgen(ctx, &peer) == 1);
    EVP_PKEY_CTX_free(ctx);
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(peer, share, length), 1);
    ctx = EVP_PKEY_CTX_new_from_pkey(bad.library, peer, NULL);
    assert_true(EVP_PKEY_encapsulate_init(ctx, NULL) <= 0);
    assert_raised(REASON_SETTING, "timeout-ms = '0'");
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    OPENSSL_free(share);
    world_close(&bad);
    world_close(&good);
}

static void without_any_setting_nothing_is_advertised(void **state)
{
    struct world world = {0};

    (void)state;
    world_load(&world, "");
    assert_true(tls_takes(&world, "X25519"));
    for (int i = 0; i < GROUP_COUNT; i++)
        assert_false(tls_takes(&world, groups[i].name));
    ERR_clear_error();
    assert_null(EVP_PKEY_Q_keygen(world.library, NULL, "qkd_x25519"));
    assert_raised(REASON_SETTING, "is not set");
    world_close(&world);
}

static void two_library_contexts_have_settings_of_their_own(void **state)
{
    struct world alice, bob;
    char text[80];

    (void)state;
    world_open(&alice, WORLD_CLOSED, "alice", "bob", "initiator = client");
    world_open(&bob, WORLD_CLOSED, "bob", "alice", "initiator = client");
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof(text), "peer bob: KME 127.0.0.1:%d", alice.port);
        assert_null(EVP_PKEY_Q_keygen(alice.library, NULL, "qkd_x25519"));
        assert_raised(REASON_KME, text);
        snprintf(text, sizeof(text), "peer alice: KME 127.0.0.1:%d", bob.port);
        assert_null(EVP_PKEY_Q_keygen(bob.library, NULL, "qkd_x25519"));
        assert_raised(REASON_KME, text);
    }
    world_close(&alice);
    assert_true(tls_takes(&bob, "qkd_x25519"));
    world_close(&bob);
}

static void loading_and_unloading_a_thousand_times_leaves_nothing(void **state)
{
    struct world world;
    char path[TEMP_PATH_BYTES];

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    temp_path(&temp, "openssl.cnf", path);
    for (int i = 0; i < LOADS; i++) {
        OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();
        EVP_PKEY *key = NULL;

        assert_int_equal(OSSL_PROVIDER_add_builtin(library, "qkd", OSSL_provider_init), 1);
        assert_int_equal(OSSL_LIB_CTX_load_config(library, path), 1);
        if (i % 10 == 0)
            assert_non_null(key = EVP_PKEY_Q_keygen(library, NULL, "qkd_x25519"));
        EVP_PKEY_free(key);
        OSSL_LIB_CTX_free(library);
    }
    assert_false(world_was_called(&world));
    assert_int_equal(ERR_peek_error(), 0);
    world_close(&world);
}

static int find_provider(OSSL_PROVIDER *provider, void *argument)
{
    if (strcmp(OSSL_PROVIDER_get0_name(provider), "qkd") == 0)
        *(OSSL_PROVIDER **)argument = provider;
    return 1;
}

static void the_provider_says_who_it_is(void **state)
{
    OSSL_PROVIDER *provider = NULL;
    const char *name = NULL, *version = NULL;
    int status = 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_NAME, (char **)(uintptr_t)&name, 0),
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, (char **)(uintptr_t)&version, 0),
        OSSL_PARAM_construct_int(OSSL_PROV_PARAM_STATUS, &status),
        OSSL_PARAM_construct_end(),
    };
    struct world world;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "");
    OSSL_PROVIDER_do_all(world.library, find_provider, &provider);
    assert_non_null(provider);
    assert_int_equal(OSSL_PROVIDER_get_params(provider, params), 1);
    assert_contains(name, "QKD");
    assert_string_equal(version, QKD_VERSION);
    assert_int_equal(status, 1);
    assert_non_null(OSSL_PROVIDER_gettable_params(provider));
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_that_can_be_had_are_advertised),
        cmocka_unit_test(bad_settings_leave_the_groups_advertised_and_every_use_failing),
        cmocka_unit_test(a_server_with_bad_settings_fails_before_it_answers),
        cmocka_unit_test(without_any_setting_nothing_is_advertised),
        cmocka_unit_test(two_library_contexts_have_settings_of_their_own),
        cmocka_unit_test(loading_and_unloading_a_thousand_times_leaves_nothing),
        cmocka_unit_test(the_provider_says_who_it_is),
    };

    return cmocka_run_group_tests_name(__FILE__, tests, make_files, remove_files);
}
