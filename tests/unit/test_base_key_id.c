/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "base/key_id.h"

static const char text[] = "00112233-4455-6677-8899-aabbccddeeff";
static const struct key_id octets = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
                                      0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};

static void text_and_octets_correspond_in_rfc_4122_order(void **state)
{
    char formatted[KEY_ID_TEXT_CHARS + 1];
    struct key_id id;

    (void)state;
    assert_true(key_id_parse(text, strlen(text), &id));
    assert_memory_equal(id.octets, octets.octets, KEY_ID_BYTES);
    key_id_format(&octets, formatted);
    assert_string_equal(formatted, text);
}

static void either_case_is_read_and_lower_case_is_written(void **state)
{
    static const char mixed[] = "00112233-4455-6677-8899-AaBbCcDdEeFf";
    char formatted[KEY_ID_TEXT_CHARS + 1];
    struct key_id id;

    (void)state;
    assert_true(key_id_parse(mixed, strlen(mixed), &id));
    assert_true(key_id_equal(&id, &octets));
    key_id_format(&id, formatted);
    assert_string_equal(formatted, text);
}

static void other_forms_are_refused_and_leave_the_id_alone(void **state)
{
    static const char *const others[] = {
        "",
        "00112233445566778899aabbccddeeff",
        "{00112233-4455-6677-8899-aabbccddeeff}",
        "urn:uuid:00112233-4455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeeff0",
        "00112233-4455-6677-8899-aabbccddeefg",
        "001122334-455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899_aabbccddeeff",
        "-0112233-4455-6677-8899-aabbccddeeff",
        "0x112233-4455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddee\xc3\xa9",
        " 0112233-4455-6677-8899-aabbccddeeff",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct key_id id = octets;

        assert_false(key_id_parse(others[i], strlen(others[i]), &id));
        assert_true(key_id_equal(&id, &octets));
    }
}

static void every_wrong_octet_at_every_place_is_refused(void **state)
{
    (void)state;
    for (size_t place = 0; place < KEY_ID_TEXT_CHARS; place++) {
        for (unsigned octet = 0; octet < 256; octet++) {
            bool hyphen = place == 8 || place == 13 || place == 18 || place == 23;
            bool hex = octet < 0x80 && octet != 0 && strchr("0123456789abcdefABCDEF", (int)octet);
            char changed[KEY_ID_TEXT_CHARS];
            struct key_id id;

            memcpy(changed, text, sizeof(changed));
            changed[place] = (char)octet;
            assert_int_equal(key_id_parse(changed, sizeof(changed), &id),
                             hyphen ? octet == '-' : hex);
        }
    }
}

static void only_the_id_of_zeros_is_zero(void **state)
{
    struct key_id id = {{0}};

    (void)state;
    assert_true(key_id_is_zero(&id));
    for (size_t i = 0; i < KEY_ID_BYTES; i++) {
        id.octets[i] = 1;
        assert_false(key_id_is_zero(&id));
        id.octets[i] = 0;
    }
}

static void ids_are_equal_only_in_every_octet(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEY_ID_BYTES; i++) {
        struct key_id id = octets;

        assert_true(key_id_equal(&id, &octets));
        id.octets[i] ^= 1;
        assert_false(key_id_equal(&id, &octets));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_octets_correspond_in_rfc_4122_order),
        cmocka_unit_test(either_case_is_read_and_lower_case_is_written),
        cmocka_unit_test(other_forms_are_refused_and_leave_the_id_alone),
        cmocka_unit_test(every_wrong_octet_at_every_place_is_refused),
        cmocka_unit_test(only_the_id_of_zeros_is_zero),
        cmocka_unit_test(ids_are_equal_only_in_every_octet),
    };

    return RUN_TESTS(tests);
}
