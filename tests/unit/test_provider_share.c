/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "provider/share.h"

static const struct key_id key_id = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
                                      0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};

static void sizes_are_those_of_the_wire(void **state)
{
    (void)state;
    assert_int_equal(share_bytes(32), 48);
    assert_int_equal(share_bytes(1184), 1200);
    assert_int_equal(share_secret_bytes(32), 64);
    assert_int_equal(share_secret_bytes(80), 112);
}

static void the_key_id_follows_the_inner_part(void **state)
{
    static const uint8_t expected[] = {0xe1, 0xe2, 0xe3, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
                                       0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    uint8_t share[sizeof(expected)] = {0xe1, 0xe2, 0xe3};

    (void)state;
    share_set_key_id(share, 3, &key_id);
    assert_memory_equal(share, expected, sizeof(expected));
}

static void a_share_is_taken_apart_at_16_octets_from_its_end(void **state)
{
    uint8_t share[40];
    struct key_id found;
    size_t inner_bytes;

    (void)state;
    memset(share, 0xe1, sizeof(share));
    share_set_key_id(share, 24, &key_id);
    assert_true(share_split(share, sizeof(share), &inner_bytes, &found));
    assert_int_equal(inner_bytes, 24);
    assert_true(key_id_equal(&found, &key_id));
    assert_true(share_split(share + 23, 17, &inner_bytes, &found));
    assert_int_equal(inner_bytes, 1);
    assert_true(key_id_equal(&found, &key_id));
}

static void a_share_without_an_inner_part_is_refused(void **state)
{
    uint8_t share[16] = {0};
    struct key_id found;
    size_t inner_bytes;

    (void)state;
    for (size_t length = 0; length <= sizeof(share); length++)
        assert_false(share_split(share, length, &inner_bytes, &found));
    assert_false(share_split(NULL, 0, &inner_bytes, &found));
}

static void the_qkd_key_follows_the_inner_secret(void **state)
{
    struct secret *qkd_key = secret_new(SHARE_QKD_KEY_BYTES);
    uint8_t secret[3 + SHARE_QKD_KEY_BYTES + 1] = {0xa1, 0xa2, 0xa3};

    (void)state;
    for (size_t i = 0; i < SHARE_QKD_KEY_BYTES; i++)
        qkd_key->bytes[i] = (uint8_t)(0x40 + i);
    share_set_qkd_key(secret, 3, qkd_key);
    assert_memory_equal(secret, "\xa1\xa2\xa3@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_\0", sizeof(secret));
    secret_free(qkd_key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_the_wire),
        cmocka_unit_test(the_key_id_follows_the_inner_part),
        cmocka_unit_test(a_share_is_taken_apart_at_16_octets_from_its_end),
        cmocka_unit_test(a_share_without_an_inner_part_is_refused),
        cmocka_unit_test(the_qkd_key_follows_the_inner_secret),
    };

    return RUN_TESTS(tests);
}
