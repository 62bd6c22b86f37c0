/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the groups through EVP where no key server answers. */
#include "tests/unit/world.h"

#include <openssl/core_names.h>

#include "provider/groups.h"
#include "provider/keymgmt.h"
#include "provider/share.h"

/* One of each shape: key agreement with and without a point, KEM, hybrid. */
static const enum group_index shapes[] = {GROUP_x25519, GROUP_secp256r1, GROUP_mlkem768,
                                          GROUP_x25519mlkem768};

enum { SHARE_MAX_BYTES = 2000 };

static EVP_PKEY *parameters_of(const struct world *world, const char *group)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(world->library, group, NULL);
    EVP_PKEY *key = NULL;

    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_paramgen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_group_name(ctx, group), 1);
    assert_int_equal(EVP_PKEY_paramgen(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *generate(const struct world *world, const char *group)
{
    return EVP_PKEY_Q_keygen(world->library, NULL, group);
}

static size_t share_of(EVP_PKEY *key, uint8_t share[static SHARE_MAX_BYTES])
{
    unsigned char *encoded = NULL;
    size_t length = EVP_PKEY_get1_encoded_public_key(key, &encoded);

    assert_in_range(length, 1, SHARE_MAX_BYTES);
    memcpy(share, encoded, length);
    OPENSSL_free(encoded);
    return length;
}

/* An answer whose inner part is good as far as its length goes. */
static int decapsulate(const struct world *world, EVP_PKEY *key, const uint8_t *answer,
                       size_t length, uint8_t *secret, size_t *secret_length)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->library, key, NULL);
    int result;

    assert_int_equal(EVP_PKEY_decapsulate_init(ctx, NULL), 1);
    result = EVP_PKEY_decapsulate(ctx, secret, secret_length, answer, length);
    EVP_PKEY_CTX_free(ctx);
    return result;
}

static void parameters_alone_ask_nobody(void **state)
{
    struct world world;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = client");
    for (int i = 0; i < GROUP_COUNT; i++) {
        EVP_PKEY *key = parameters_of(&world, groups[i].name);

        assert_int_equal(EVP_PKEY_get_bits(key), groups[i].bits);
        assert_int_equal(EVP_PKEY_get_security_bits(key), groups[i].security_bits);
        EVP_PKEY_free(key);
    }
    assert_false(world_was_called(&world));
    assert_int_equal(ERR_peek_error(), 0);
    world_close(&world);
}

static void generation_fails_with_the_names_of_group_peer_and_key_server(void **state)
{
    struct world world;
    char name[40];

    (void)state;
    world_open(&world, WORLD_CLOSED, "alice", "bob", "initiator = client");
    snprintf(name, sizeof(name), "KME 127.0.0.1:%d: connect: ", world.port);
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        char group[60];

        snprintf(group, sizeof(group), "group %s, peer bob: %s", groups[shapes[i]].name, name);
        assert_null(generate(&world, groups[shapes[i]].name));
        assert_raised(REASON_KME, group);
    }
    world_close(&world);
}

static void a_silent_key_server_costs_no_more_than_the_time_budget(void **state)
{
    struct world world;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = client\ntimeout-ms = 30");
    assert_null(generate(&world, "qkd_x25519"));
    assert_raised(REASON_KME_TIMEOUT, "the time budget ended while making a TLS connection");
    world_close(&world);
}

static void a_share_without_reservation_ends_with_the_id_of_zeros(void **state)
{
    struct world world;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        const struct group *group = &groups[shapes[i]];
        EVP_PKEY *key = generate(&world, group->name);
        uint8_t share[SHARE_MAX_BYTES], again[SHARE_MAX_BYTES];
        size_t length;

        assert_non_null(key);
        length = share_of(key, share);
        assert_int_equal(length, share_bytes(group->public_bytes));
        assert_true(is_zero(share + group->public_bytes, KEY_ID_BYTES));
        assert_int_equal(share_of(key, again), length);
        assert_memory_equal(again, share, length);
        EVP_PKEY_free(key);
    }
    assert_false(world_was_called(&world));
    world_close(&world);
}

static void unknown_parameters_are_ignored(void **state)
{
    struct world world;
    int value = 42;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_int("no-such-parameter", &value),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY *key;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    key = generate(&world, "qkd_x25519");
    assert_int_equal(EVP_PKEY_get_params(key, params), 1);
    assert_false(OSSL_PARAM_modified(params));
    assert_int_equal(EVP_PKEY_set_params(key, params), 1);
    assert_int_equal(ERR_peek_error(), 0);
    EVP_PKEY_free(key);
    world_close(&world);
}

static void expect_no_used_key(EVP_PKEY *key)
{
    char text[KEY_ID_TEXT_CHARS + 1] = "untouched";
    size_t length = 0;

    assert_int_equal(
        EVP_PKEY_get_utf8_string_param(key, KEYMGMT_PARAM_KEY_ID, text, sizeof(text), &length), 0);
    assert_int_equal(
        EVP_PKEY_get_utf8_string_param(key, KEYMGMT_PARAM_ROLE, text, sizeof(text), &length), 0);
    assert_string_equal(text, "untouched");
    assert_int_equal(ERR_peek_error(), 0);
}

static void a_key_that_was_not_used_names_no_key_id(void **state)
{
    struct world world;
    uint8_t share[SHARE_MAX_BYTES], secret[64];
    size_t secret_length = sizeof(secret), length;
    EVP_PKEY *own, *peer;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    own = generate(&world, "qkd_x25519");
    length = share_of(own, share);
    peer = parameters_of(&world, "qkd_x25519");
    expect_no_used_key(peer);
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(peer, share, length), 1);
    expect_no_used_key(peer);
    expect_no_used_key(own);
    assert_true(decapsulate(&world, own, share, length, secret, &secret_length) <= 0);
    ERR_clear_error();
    expect_no_used_key(own);
    assert_non_null(OSSL_PARAM_locate_const(EVP_PKEY_gettable_params(own), KEYMGMT_PARAM_KEY_ID));
    assert_non_null(OSSL_PARAM_locate_const(EVP_PKEY_gettable_params(own), KEYMGMT_PARAM_ROLE));
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    world_close(&world);
}

static void a_share_is_set_once(void **state)
{
    struct world world;
    uint8_t share[SHARE_MAX_BYTES];
    EVP_PKEY *own, *peer;
    size_t length;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    own = generate(&world, "qkd_x25519");
    length = share_of(own, share);
    peer = parameters_of(&world, "qkd_x25519");
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(peer, share, length), 1);
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(peer, share, length), 0);
    assert_raised(REASON_KEY_USE, "a key cannot be set twice");
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(own, share, length), 0);
    assert_raised(REASON_KEY_USE, "a key cannot be set twice");
    EVP_PKEY_free(own);
    EVP_PKEY_free(peer);
    world_close(&world);
}

static void check_share_length(const struct world *world, const struct group *group, size_t length)
{
    static uint8_t octets[65535];
    EVP_PKEY *key = parameters_of(world, group->name);

    memset(octets, 0x04, sizeof(octets));
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(key, octets, length), 0);
    assert_raised(REASON_PEER_SHARE, group->name);
    EVP_PKEY_free(key);
}

static void shares_of_a_wrong_length_are_refused(void **state)
{
    struct world world;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "");
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        const struct group *group = &groups[shapes[i]];
        size_t whole = share_bytes(group->public_bytes);
        const size_t lengths[] = {0,         1,         KEY_ID_BYTES, KEY_ID_BYTES + 1,
                                  whole - 1, whole + 1, 65535};

        for (size_t j = 0; j < COUNT_OF(lengths); j++)
            check_share_length(&world, group, lengths[j]);
    }
    assert_false(world_was_called(&world));
    world_close(&world);
}

static void shares_with_a_wrong_inner_key_are_refused(void **state)
{
    static const struct {
        enum group_index index;
        uint8_t first, others;
    } wrong[] = {
        {GROUP_secp256r1, 0x04, 0x01},         {GROUP_secp256r1, 0x02, 0x01},
        {GROUP_secp384r1, 0x04, 0xff},         {GROUP_secp384r1, 0x00, 0x00},
        {GROUP_mlkem768, 0xff, 0xff},          {GROUP_mlkem1024, 0xff, 0xff},
        {GROUP_secp256r1mlkem768, 0x05, 0x00},
    };
    struct world world;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "");
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const struct group *group = &groups[wrong[i].index];
        EVP_PKEY *key = parameters_of(&world, group->name);
        uint8_t share[SHARE_MAX_BYTES];

        memset(share, wrong[i].others, sizeof(share));
        share[0] = wrong[i].first;
        assert_int_equal(
            EVP_PKEY_set1_encoded_public_key(key, share, share_bytes(group->public_bytes)), 0);
        assert_raised(REASON_PEER_SHARE, group->name);
        EVP_PKEY_free(key);
    }
    assert_false(world_was_called(&world));
    world_close(&world);
}

static void answers_of_a_wrong_length_are_refused_and_the_secret_wiped(void **state)
{
    static uint8_t answer[65535];
    struct world world;

    (void)state;
    memset(answer, 0x04, sizeof(answer));
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        const struct group *group = &groups[shapes[i]];
        size_t whole = share_bytes(group->ciphertext_bytes);
        const size_t lengths[] = {1, KEY_ID_BYTES, whole - 1, whole + 1, sizeof(answer)};
        EVP_PKEY *key = generate(&world, group->name);

        for (size_t j = 0; j < COUNT_OF(lengths); j++) {
            uint8_t secret[200];
            size_t secret_length = sizeof(secret);

            memset(secret, 0x5a, sizeof(secret));
            assert_true(decapsulate(&world, key, answer, lengths[j], secret, &secret_length) <= 0);
            assert_raised(REASON_PEER_SHARE, group->name);
            assert_true(is_zero(secret, share_secret_bytes(group->secret_bytes)));
            assert_int_equal(secret_length, sizeof(secret));
        }
        EVP_PKEY_free(key);
    }
    assert_false(world_was_called(&world));
    world_close(&world);
}

static void an_answer_that_names_no_key_is_refused(void **state)
{
    struct world world;
    uint8_t share[SHARE_MAX_BYTES], secret[64];
    size_t secret_length = sizeof(secret), length;
    EVP_PKEY *key;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    key = generate(&world, "qkd_x25519");
    length = share_of(key, share);
    memset(secret, 0x5a, sizeof(secret));
    assert_true(decapsulate(&world, key, share, length, secret, &secret_length) <= 0);
    assert_raised(REASON_PEER_KEY_ID, "the server named no key");
    assert_true(is_zero(secret, sizeof(secret)));
    assert_false(world_was_called(&world));
    EVP_PKEY_free(key);
    world_close(&world);
}

static void an_answer_that_is_no_point_of_the_curve_is_refused(void **state)
{
    struct world world;
    uint8_t answer[81], secret[64];
    size_t secret_length = sizeof(secret);
    EVP_PKEY *key;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    key = generate(&world, "qkd_secp256r1");
    memset(answer, 0x04, sizeof(answer));
    memset(secret, 0x5a, sizeof(secret));
    assert_true(decapsulate(&world, key, answer, sizeof(answer), secret, &secret_length) <= 0);
    assert_raised(REASON_INNER_ALGORITHM, "group qkd_secp256r1, peer bob: reading the public key");
    assert_true(is_zero(secret, sizeof(secret)));
    assert_false(world_was_called(&world));
    EVP_PKEY_free(key);
    world_close(&world);
}

static void asking_for_sizes_asks_nobody(void **state)
{
    struct world world;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        const struct group *group = &groups[shapes[i]];
        EVP_PKEY *key = generate(&world, group->name);
        uint8_t answer[SHARE_MAX_BYTES] = {0};

        for (int j = 0; j < 100; j++) {
            size_t length = 0;

            assert_int_equal(decapsulate(&world, key, answer, share_bytes(group->ciphertext_bytes),
                                         NULL, &length),
                             1);
            assert_int_equal(length, share_secret_bytes(group->secret_bytes));
        }
        EVP_PKEY_free(key);
    }
    assert_int_equal(ERR_peek_error(), 0);
    assert_false(world_was_called(&world));
    world_close(&world);
}

static void a_buffer_too_small_is_refused_untouched(void **state)
{
    struct world world;
    uint8_t answer[48] = {0}, secret[64];
    EVP_PKEY *key;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    key = generate(&world, "qkd_x25519");
    for (size_t given = 0; given < sizeof(secret); given++) {
        size_t length = given;

        memset(secret, 0x5a, sizeof(secret));
        assert_true(decapsulate(&world, key, answer, sizeof(answer), secret, &length) <= 0);
        assert_raised(REASON_BUFFER_TOO_SMALL, "the shared secret needs 64 octets");
        assert_int_equal(length, given);
        for (size_t i = 0; i < sizeof(secret); i++)
            assert_int_equal(secret[i], 0x5a);
    }
    EVP_PKEY_free(key);
    world_close(&world);
}

static void encapsulation_begins_only_with_a_key_server(void **state)
{
    struct world world;
    uint8_t share[SHARE_MAX_BYTES];
    EVP_PKEY *own, *peer;
    EVP_PKEY_CTX *ctx;
    size_t length;

    (void)state;
    world_open(&world, WORLD_CLOSED, "bob", "alice", "initiator = server");
    own = generate(&world, "qkd_x25519");
    length = share_of(own, share);
    peer = parameters_of(&world, "qkd_x25519");
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(peer, share, length), 1);
    ctx = EVP_PKEY_CTX_new_from_pkey(world.library, peer, NULL);
    assert_true(EVP_PKEY_encapsulate_init(ctx, NULL) <= 0);
    assert_raised(REASON_KME, "group qkd_x25519, peer alice: KME 127.0.0.1:");
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    world_close(&world);
}

static void a_key_is_used_for_its_own_side_only(void **state)
{
    struct world world;
    uint8_t share[SHARE_MAX_BYTES];
    EVP_PKEY *keys[2];
    EVP_PKEY_CTX *ctx;

    (void)state;
    world_open(&world, WORLD_SILENT, "alice", "bob", "initiator = server");
    keys[0] = generate(&world, "qkd_x25519");
    keys[1] = parameters_of(&world, "qkd_x25519");
    for (int i = 0; i < 2; i++) {
        ctx = EVP_PKEY_CTX_new_from_pkey(world.library, keys[i], NULL);
        assert_true(EVP_PKEY_encapsulate_init(ctx, NULL) <= 0);
        assert_raised(REASON_KEY_USE, "this key cannot encapsulate");
        EVP_PKEY_CTX_free(ctx);
    }
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(keys[1], share, share_of(keys[0], share)), 1);
    ctx = EVP_PKEY_CTX_new_from_pkey(world.library, keys[1], NULL);
    assert_true(EVP_PKEY_decapsulate_init(ctx, NULL) <= 0);
    assert_raised(REASON_KEY_USE, "this key cannot decapsulate");
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(keys[0]);
    EVP_PKEY_free(keys[1]);
    assert_false(world_was_called(&world));
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_alone_ask_nobody),
        cmocka_unit_test(generation_fails_with_the_names_of_group_peer_and_key_server),
        cmocka_unit_test(a_silent_key_server_costs_no_more_than_the_time_budget),
        cmocka_unit_test(a_share_without_reservation_ends_with_the_id_of_zeros),
        cmocka_unit_test(unknown_parameters_are_ignored),
        cmocka_unit_test(a_key_that_was_not_used_names_no_key_id),
        cmocka_unit_test(a_share_is_set_once),
        cmocka_unit_test(shares_of_a_wrong_length_are_refused),
        cmocka_unit_test(shares_with_a_wrong_inner_key_are_refused),
        cmocka_unit_test(answers_of_a_wrong_length_are_refused_and_the_secret_wiped),
        cmocka_unit_test(an_answer_that_names_no_key_is_refused),
        cmocka_unit_test(an_answer_that_is_no_point_of_the_curve_is_refused),
        cmocka_unit_test(asking_for_sizes_asks_nobody),
        cmocka_unit_test(a_buffer_too_small_is_refused_untouched),
        cmocka_unit_test(encapsulation_begins_only_with_a_key_server),
        cmocka_unit_test(a_key_is_used_for_its_own_side_only),
    };

    return cmocka_run_group_tests_name(__FILE__, tests, make_files, remove_files);
}
