/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "base/buf.h"

static void integers_are_written_big_endian(void **state)
{
    static const uint8_t expected[] = {0xab, 0x01, 0x02, 0x03, 0x04, 0xf1, 0xf2,
                                       0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8};
    struct buf buf;

    (void)state;
    buf_init(&buf, 100);
    buf_put_u8(&buf, 0xab);
    buf_put_u32(&buf, 0x01020304);
    buf_put_u64(&buf, 0xf1f2f3f4f5f6f7f8);
    assert_false(buf.failed);
    assert_int_equal(buf.length, sizeof(expected));
    assert_memory_equal(buf.data, expected, sizeof(expected));
    buf_free(&buf);
}

static void an_empty_buffer_allocates_nothing(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100);
    buf_put(&buf, "", 0);
    buf_consume(&buf, 0);
    buf_reset(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.length, 0);
    buf_free(&buf);
}

static void content_survives_growth(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100000);
    for (size_t i = 0; i < 100000; i++)
        buf_put_u8(&buf, (uint8_t)(i * 7));
    assert_false(buf.failed);
    assert_int_equal(buf.length, 100000);
    assert_int_equal(buf.capacity, 100000);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], (uint8_t)(i * 7));
    buf_free(&buf);
}

static void the_maximum_is_never_exceeded_and_the_failure_stays(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 8);
    buf_put(&buf, "12345678", 8);
    assert_false(buf.failed);
    buf_put_u8(&buf, 9);
    assert_true(buf.failed);
    assert_int_equal(buf.length, 8);
    buf_consume(&buf, 8);
    buf_put_u8(&buf, 1);
    assert_true(buf.failed);
    assert_int_equal(buf.length, 0);
    buf_reset(&buf);
    buf_put_u8(&buf, 1);
    assert_false(buf.failed);
    assert_int_equal(buf.length, 1);
    buf_free(&buf);
}

static void a_huge_reservation_is_refused_without_overflow(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100);
    buf_put_u8(&buf, 1);
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    buf_free(&buf);
}

static void consuming_moves_the_rest_and_wipes_what_it_leaves(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100);
    buf_put_text(&buf, "abcdef");
    buf_consume(&buf, 4);
    assert_int_equal(buf.length, 2);
    assert_memory_equal(buf.data, "ef\0\0\0\0", 6);
    buf_free(&buf);
}

static void reset_wipes_what_was_written(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100);
    buf_put_text(&buf, "secret text");
    memcpy(buf_reserve(&buf, 7), " unsaid", 7);
    buf_reset(&buf);
    assert_int_equal(buf.length, 0);
    assert_true(is_zero(buf.data, strlen("secret text unsaid")));
    buf_free(&buf);
}

static void free_keeps_the_maximum_and_leaves_a_usable_buffer(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 3);
    buf_put_text(&buf, "abc");
    buf_free(&buf);
    assert_null(buf.data);
    buf_put_text(&buf, "abcd");
    assert_true(buf.failed);
    buf_free(&buf);
}

static void a_format_that_is_too_long_fails_instead_of_being_cut(void **state)
{
    char text[2000];
    struct buf buf;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    buf_init(&buf, 10000);
    buf_put_format(&buf, "%d %s", 1, "ok");
    assert_memory_equal(buf.data, "1 ok", 4);
    buf_put_format(&buf, "%s", text);
    assert_true(buf.failed);
    assert_int_equal(buf.length, 4);
    buf_free(&buf);
}

static void the_reader_gives_back_what_was_written(void **state)
{
    struct buf buf;
    struct reader reader;

    (void)state;
    buf_init(&buf, 100);
    buf_put_u8(&buf, 0xab);
    buf_put_u32(&buf, 0x01020304);
    buf_put_u64(&buf, 0xf1f2f3f4f5f6f7f8);
    buf_put_text(&buf, "xy");
    reader_init(&reader, buf.data, buf.length);
    assert_int_equal(reader_u8(&reader), 0xab);
    assert_int_equal(reader_u32(&reader), 0x01020304);
    assert_true(reader_u64(&reader) == 0xf1f2f3f4f5f6f7f8);
    assert_false(reader_done(&reader));
    assert_memory_equal(reader_take(&reader, 2), "xy", 2);
    assert_true(reader_done(&reader));
    buf_free(&buf);
}

static void reading_past_the_end_gives_zeros_for_ever(void **state)
{
    static const uint8_t octets[] = {0xff, 0xff, 0xff};
    struct reader reader;

    (void)state;
    reader_init(&reader, octets, sizeof(octets));
    assert_int_equal(reader_u32(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(reader_u8(&reader), 0);
    assert_null(reader_take(&reader, 1));
    assert_null(reader_take(&reader, SIZE_MAX));
    assert_false(reader_done(&reader));
    reader_init(&reader, NULL, 0);
    assert_true(reader_done(&reader));
    assert_int_equal(reader_u64(&reader), 0);
    assert_false(reader_done(&reader));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_written_big_endian),
        cmocka_unit_test(an_empty_buffer_allocates_nothing),
        cmocka_unit_test(content_survives_growth),
        cmocka_unit_test(the_maximum_is_never_exceeded_and_the_failure_stays),
        cmocka_unit_test(a_huge_reservation_is_refused_without_overflow),
        cmocka_unit_test(consuming_moves_the_rest_and_wipes_what_it_leaves),
        cmocka_unit_test(reset_wipes_what_was_written),
        cmocka_unit_test(free_keeps_the_maximum_and_leaves_a_usable_buffer),
        cmocka_unit_test(a_format_that_is_too_long_fails_instead_of_being_cut),
        cmocka_unit_test(the_reader_gives_back_what_was_written),
        cmocka_unit_test(reading_past_the_end_gives_zeros_for_ever),
    };

    return RUN_TESTS(tests);
}
