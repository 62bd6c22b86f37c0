/* SPDX-License-Identifier: Apache-2.0 */
/* What EVP does with key objects, and what that leaves on the error queue: nothing. */
#include "tests/unit/world.h"

#include <openssl/core_names.h>

#include "provider/groups.h"

enum { APPLICATION_REASON = 77, SHARE_MAX_BYTES = 2000 };

/* What an application left on the queue before it called us; 0: nothing. */
static const int reasons_before[] = {0, APPLICATION_REASON};

static void expect_queue(int reason)
{
    unsigned long error = ERR_peek_error(), last = ERR_peek_last_error();

    if (reason == 0 && error != 0)
        fail_msg("left on the queue: %s", ERR_reason_error_string(error));
    assert_int_equal(ERR_GET_REASON(error), reason);
    assert_true(error == last);
}

static void leave_error(int reason)
{
    ERR_clear_error();
    if (reason != 0)
        ERR_raise(ERR_LIB_USER, reason);
}

static EVP_PKEY *peer_of(const struct world *world, const char *group, EVP_PKEY *own)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(world->library, group, NULL);
    unsigned char *share = NULL;
    size_t length = EVP_PKEY_get1_encoded_public_key(own, &share);
    EVP_PKEY *peer = NULL;

    assert_true(EVP_PKEY_paramgen_init(ctx) == 1 && EVP_PKEY_paramgen(ctx, &peer) == 1);
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(peer, share, length), 1);
    OPENSSL_free(share);
    EVP_PKEY_CTX_free(ctx);
    return peer;
}

static void query_size(const struct world *world, EVP_PKEY *key, size_t answer_length)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->library, key, NULL);
    static const uint8_t answer[SHARE_MAX_BYTES];
    size_t length = 0;

    assert_int_equal(EVP_PKEY_decapsulate_init(ctx, NULL), 1);
    assert_int_equal(EVP_PKEY_decapsulate(ctx, NULL, &length, answer, answer_length), 1);
    EVP_PKEY_CTX_free(ctx);
}

static void calls_that_succeed_leave_the_error_queue_alone(void **state)
{
    static const char *const names[] = {"qkd_x25519", "qkd_secp256r1", "qkd_mlkem768",
                                        "qkd_x25519mlkem768"};
    struct world world;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    for (size_t i = 0; i < COUNT_OF(names) * COUNT_OF(reasons_before); i++) {
        const char *name = names[i / COUNT_OF(reasons_before)];
        int reason = reasons_before[i % COUNT_OF(reasons_before)];
        EVP_PKEY *own, *peer, *copy;

        leave_error(reason);
        own = EVP_PKEY_Q_keygen(world.library, NULL, name);
        assert_non_null(own);
        expect_queue(reason);
        peer = peer_of(&world, name, own);
        expect_queue(reason);
        query_size(&world, own, 100);
        expect_queue(reason);
        copy = EVP_PKEY_dup(own);
        assert_non_null(copy);
        assert_int_equal(EVP_PKEY_eq(own, copy), 1);
        assert_int_equal(EVP_PKEY_eq(own, peer), 1);
        assert_int_equal(EVP_PKEY_parameters_eq(own, peer), 1);
        expect_queue(reason);
        EVP_PKEY_free(copy);
        EVP_PKEY_free(peer);
        EVP_PKEY_free(own);
        expect_queue(reason);
    }
    world_close(&world);
}

static void a_failing_call_adds_to_the_queue_and_takes_nothing(void **state)
{
    struct world world;

    (void)state;
    world_open(&world, WORLD_CLOSED, "alice", "bob", "initiator = client");
    leave_error(APPLICATION_REASON);
    assert_null(EVP_PKEY_Q_keygen(world.library, NULL, "qkd_x25519"));
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), APPLICATION_REASON);
    assert_raised(REASON_KME, "group qkd_x25519");
    world_close(&world);
}

static void different_keys_are_not_equal(void **state)
{
    struct world world;
    EVP_PKEY *one, *other, *of_another_group;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    one = EVP_PKEY_Q_keygen(world.library, NULL, "qkd_x25519");
    other = EVP_PKEY_Q_keygen(world.library, NULL, "qkd_x25519");
    of_another_group = EVP_PKEY_Q_keygen(world.library, NULL, "qkd_secp256r1");
    assert_int_equal(EVP_PKEY_eq(one, one), 1);
    assert_int_equal(EVP_PKEY_eq(one, other), 0);
    assert_true(EVP_PKEY_eq(one, of_another_group) <= 0);
    EVP_PKEY_free(one);
    EVP_PKEY_free(other);
    EVP_PKEY_free(of_another_group);
    world_close(&world);
}

static void printing_a_key_does_no_harm_and_shows_no_private_half(void **state)
{
    struct world world;
    EVP_PKEY *key;
    char *text;
    long length;
    BIO *bio = BIO_new(BIO_s_mem());

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    key = EVP_PKEY_Q_keygen(world.library, NULL, "qkd_x25519");
    EVP_PKEY_print_public(bio, key, 0, NULL);
    EVP_PKEY_print_private(bio, key, 0, NULL);
    length = BIO_get_mem_data(bio, &text);
    assert_true(length >= 0 && memmem(text, (size_t)length, "priv:", 5) == NULL);
    BIO_free(bio);
    EVP_PKEY_free(key);
    world_close(&world);
}

static void private_keys_are_not_exported(void **state)
{
    struct world world;
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    key = EVP_PKEY_Q_keygen(world.library, NULL, "qkd_x25519");
    assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params), 0);
    assert_raised(REASON_PRIVATE_EXPORT, "group qkd_x25519");
    assert_null(params);
    EVP_PKEY_free(key);
    world_close(&world);
}

static EVP_PKEY *import(const struct world *world, int selection, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(world->library, "qkd_x25519", NULL);
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    EVP_PKEY_fromdata(ctx, &key, selection, params);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void public_keys_are_exported_and_imported(void **state)
{
    struct world world;
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key, *again;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    key = EVP_PKEY_Q_keygen(world.library, NULL, "qkd_x25519");
    assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params), 1);
    assert_non_null(OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY));
    again = import(&world, EVP_PKEY_PUBLIC_KEY, params);
    assert_non_null(again);
    assert_int_equal(EVP_PKEY_eq(key, again), 1);
    OSSL_PARAM_free(params);
    EVP_PKEY_free(again);
    EVP_PKEY_free(key);
    world_close(&world);
}

static void private_keys_are_not_imported(void **state)
{
    static uint8_t octets[32];
    struct world world;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, octets, sizeof(octets)),
        OSSL_PARAM_construct_end(),
    };

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    assert_null(import(&world, EVP_PKEY_KEYPAIR, params));
    assert_raised(REASON_KEY_USE, "a private key is generated, never imported");
    world_close(&world);
}

static void the_pair_of_a_public_key_is_the_public_key(void **state)
{
    struct world world;
    OSSL_PARAM *params = NULL;
    EVP_PKEY *own, *peer, *again;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    own = EVP_PKEY_Q_keygen(world.library, NULL, "qkd_x25519");
    peer = peer_of(&world, "qkd_x25519", own);
    assert_int_equal(EVP_PKEY_todata(peer, EVP_PKEY_KEYPAIR, &params), 1);
    again = import(&world, EVP_PKEY_KEYPAIR, params);
    assert_non_null(again);
    assert_int_equal(EVP_PKEY_eq(own, again), 1);
    OSSL_PARAM_free(params);
    EVP_PKEY_free(again);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    world_close(&world);
}

static void a_group_is_asked_for_by_its_own_name_only(void **state)
{
    struct world world;
    EVP_PKEY_CTX *ctx;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    ctx = EVP_PKEY_CTX_new_from_name(world.library, "qkd_x25519", NULL);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_group_name(ctx, "QKD_X25519"), 1);
    assert_true(EVP_PKEY_CTX_set_group_name(ctx, "qkd_secp256r1") <= 0);
    assert_raised(REASON_KEY_USE, "group qkd_x25519 was asked for group 'qkd_secp256r1'");
    EVP_PKEY_CTX_free(ctx);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_succeed_leave_the_error_queue_alone),
        cmocka_unit_test(a_failing_call_adds_to_the_queue_and_takes_nothing),
        cmocka_unit_test(different_keys_are_not_equal),
        cmocka_unit_test(printing_a_key_does_no_harm_and_shows_no_private_half),
        cmocka_unit_test(private_keys_are_not_exported),
        cmocka_unit_test(public_keys_are_exported_and_imported),
        cmocka_unit_test(private_keys_are_not_imported),
        cmocka_unit_test(the_pair_of_a_public_key_is_the_public_key),
        cmocka_unit_test(a_group_is_asked_for_by_its_own_name_only),
    };

    return cmocka_run_group_tests_name(__FILE__, tests, make_files, remove_files);
}
