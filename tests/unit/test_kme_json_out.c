/* SPDX-License-Identifier: Apache-2.0 */
/* kme/json_out.h: what a parser makes of what is written, whatever the octets. */
#include "unit.h"

#include <jansson.h>

#include "kme/json_out.h"

enum { MAX_BYTES = 4096 };

static json_t *written(struct buf *buf)
{
    json_error_t error;
    json_t *value;

    assert_false(buf->failed);
    value = json_loadb((const char *)buf->data, buf->length, JSON_DISABLE_EOF_CHECK, &error);
    if (value == NULL)
        fail_msg("%s in %.*s", error.text, (int)buf->length, (const char *)buf->data);
    return value;
}

static void test_nested_values_read_back(void **state)
{
    struct json_out out;
    struct buf buf;
    json_t *value;

    (void)state;
    buf_init(&buf, MAX_BYTES);
    json_out_init(&out, &buf);
    json_out_object(&out, NULL);
    json_out_array(&out, "empty");
    json_out_array_end(&out);
    json_out_array(&out, "list");
    json_out_number(&out, NULL, INT64_MIN);
    json_out_object(&out, NULL);
    json_out_bool(&out, "yes", true);
    json_out_bool(&out, "no", false);
    json_out_object_end(&out);
    json_out_text(&out, NULL, NULL);
    json_out_array_end(&out);
    json_out_number(&out, "last", 7);
    json_out_object_end(&out);
    value = written(&buf);
    assert_int_equal(json_array_size(json_object_get(value, "empty")), 0);
    assert_int_equal(json_array_size(json_object_get(value, "list")), 3);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(value, "list"), 0)),
                     INT64_MIN);
    assert_int_equal(json_integer_value(json_object_get(value, "last")), 7);
    json_decref(value);
    buf_free(&buf);
}

static void write_text(struct buf *buf, const char *text)
{
    struct json_out out;

    buf_init(buf, MAX_BYTES);
    json_out_init(&out, buf);
    json_out_array(&out, NULL);
    json_out_text(&out, NULL, text);
    json_out_array_end(&out);
}

static void assert_text(const char *text, const char *expected)
{
    struct buf buf;
    json_t *value;

    write_text(&buf, text);
    value = written(&buf);
    assert_string_equal(json_string_value(json_array_get(value, 0)), expected);
    json_decref(value);
    buf_free(&buf);
}

static void test_texts_read_back_as_they_were(void **state)
{
    static const char *const texts[] = {"",
                                        "alice",
                                        "a\"b\\c\n\t\x01\x7f",
                                        "</script><!--&'",
                                        "M\xc3\xbcnchen",
                                        "\xe2\x82\xac \xf0\x9f\x94\x91"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_text(texts[i], texts[i]);
}

static void test_what_is_no_utf8_becomes_replacement_characters(void **state)
{
    (void)state;
    assert_text("a\xff", "a\xef\xbf\xbd");
    assert_text("\xc3", "\xef\xbf\xbd");
    assert_text("\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd");
    assert_text("\xed\xa0\x80.", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.");
    assert_text("\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_text("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_nothing_in_a_text_can_end_a_tag(void **state)
{
    struct buf buf;

    (void)state;
    write_text(&buf, "<img src=x onerror=alert(1)>&amp;</script>");
    for (size_t i = 0; i < buf.length; i++)
        assert_null(strchr("<>&", buf.data[i]));
    buf_free(&buf);
}

static void test_random_octets_are_always_json(void **state)
{
    uint64_t random = 42;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[9] = {0};
        struct buf buf;

        for (size_t i = 0; i < sizeof(text) - 1; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            text[i] = (char)(random >> 56);
        }
        write_text(&buf, text);
        json_decref(written(&buf));
        buf_free(&buf);
    }
}

static void test_what_does_not_fit_is_a_failure_of_the_buffer(void **state)
{
    struct json_out out;
    struct buf buf;

    (void)state;
    buf_init(&buf, 16);
    json_out_init(&out, &buf);
    json_out_text(&out, NULL, "0123456789abcdef");
    assert_true(buf.failed);
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested_values_read_back),
        cmocka_unit_test(test_texts_read_back_as_they_were),
        cmocka_unit_test(test_what_is_no_utf8_becomes_replacement_characters),
        cmocka_unit_test(test_nothing_in_a_text_can_end_a_tag),
        cmocka_unit_test(test_random_octets_are_always_json),
        cmocka_unit_test(test_what_does_not_fit_is_a_failure_of_the_buffer),
    };

    return RUN_TESTS(tests);
}
