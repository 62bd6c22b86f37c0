/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <strings.h>

#include "provider/groups.h"

/* docs/groups.md: numbers that other implementations rely on. */
static const struct {
    const char *name;
    unsigned code_point;
} published[] = {
    {"qkd_mlkem512", 0x304A},
    {"qkd_mlkem768", 0x3768},
    {"qkd_mlkem1024", 0x3024},
    {"qkd_x25519mlkem768", 0xFE18},
    {"qkd_secp256r1mlkem768", 0xFE19},
    {"qkd_secp384r1mlkem1024", 0xFE1A},
    {"qkd_x25519", 0xFE10},
    {"qkd_secp256r1", 0xFE11},
    {"qkd_secp384r1", 0xFE12},
    {"qkd_efrodo640aes", 0xFE00},
    {"qkd_efrodo640shake", 0xFE01},
    {"qkd_efrodo976aes", 0xFE02},
    {"qkd_efrodo976shake", 0xFE03},
    {"qkd_efrodo1344aes", 0xFE04},
    {"qkd_efrodo1344shake", 0xFE05},
    {"qkd_frodo640aes", 0x3000},
    {"qkd_frodo640shake", 0x3001},
    {"qkd_frodo976aes", 0x3002},
    {"qkd_frodo976shake", 0x3003},
    {"qkd_frodo1344aes", 0x3004},
    {"qkd_frodo1344shake", 0x3005},
    {"qkd_kyber512", 0x303A},
    {"qkd_kyber768", 0x303C},
    {"qkd_kyber1024", 0x303D},
    {"qkd_bikel1", 0x3041},
    {"qkd_bikel3", 0x3042},
    {"qkd_bikel5", 0x3043},
    {"qkd_hqc128", 0x3044},
    {"qkd_hqc192", 0x3045},
    {"qkd_hqc256", 0x3046},
};

static void names_and_code_points_are_the_published_ones(void **state)
{
    (void)state;
    assert_int_equal(GROUP_COUNT, COUNT_OF(published));
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        assert_string_equal(groups[i].name, published[i].name);
        assert_int_equal(groups[i].code_point, published[i].code_point);
    }
}

static void names_differ_in_more_than_case_and_code_points_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(strcasecmp(groups[i].name, groups[j].name), 0);
            assert_int_not_equal(groups[i].code_point, groups[j].code_point);
        }
    }
}

static void names_can_stand_in_every_list_of_groups(void **state)
{
    (void)state;
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        size_t length = strlen(groups[i].name);

        assert_in_range(length, 1, 40);
        assert_int_equal(strspn(groups[i].name, "abcdefghijklmnopqrstuvwxyz0123456789_"), length);
        assert_in_range(groups[i].name[0], 'a', 'z');
    }
}

static void no_code_point_belongs_to_another_group_of_tls(void **state)
{
    static const unsigned taken[] = {0,      0x0017, 0x0018, 0x001D, 0x001E, 0x0100,
                                     0x0104, 0x0200, 0x0201, 0x0202, 0x11EB, 0x11EC,
                                     0x11ED, 0x6399, 0x639A, 0xFF01, 0xFF02};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(taken); i++)
        assert_true(code_point_is_taken(taken[i]));
    for (size_t i = 0; i < GROUP_COUNT; i++)
        assert_false(code_point_is_taken(groups[i].code_point));
}

static void sizes_are_known_for_what_openssl_itself_has(void **state)
{
    static const struct {
        enum group_index index;
        size_t public_bytes, ciphertext_bytes, secret_bytes;
    } sizes[] = {
        {GROUP_mlkem512, 800, 768, 32},
        {GROUP_mlkem768, 1184, 1088, 32},
        {GROUP_mlkem1024, 1568, 1568, 32},
        {GROUP_x25519mlkem768, 1184 + 32, 1088 + 32, 64},
        {GROUP_secp256r1mlkem768, 1184 + 65, 1088 + 65, 64},
        {GROUP_secp384r1mlkem1024, 1568 + 97, 1568 + 97, 80},
        {GROUP_x25519, 32, 32, 32},
        {GROUP_secp256r1, 65, 65, 32},
        {GROUP_secp384r1, 97, 97, 48},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        const struct group *group = &groups[sizes[i].index];

        assert_int_equal(group->public_bytes, sizes[i].public_bytes);
        assert_int_equal(group->ciphertext_bytes, sizes[i].ciphertext_bytes);
        assert_int_equal(group->secret_bytes, sizes[i].secret_bytes);
    }
}

static void every_row_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        assert_non_null(groups[i].inner_names[0]);
        assert_in_range(groups[i].security_bits, 128, 256);
        assert_true(groups[i].security_bits % 64 == 0);
        assert_true(groups[i].bits > 0);
        assert_int_equal(groups[i].curve != NULL, groups[i].kind == INNER_ECDH &&
                                                      strcmp(groups[i].inner_names[0], "EC") == 0);
        assert_int_equal(groups[i].secret_bytes != 0, groups[i].ciphertext_bytes != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_code_points_are_the_published_ones),
        cmocka_unit_test(names_differ_in_more_than_case_and_code_points_differ),
        cmocka_unit_test(names_can_stand_in_every_list_of_groups),
        cmocka_unit_test(no_code_point_belongs_to_another_group_of_tls),
        cmocka_unit_test(sizes_are_known_for_what_openssl_itself_has),
        cmocka_unit_test(every_row_is_complete),
    };

    return RUN_TESTS(tests);
}
