/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_etsi004.h"

static enum etsi004_framing take(const struct octets *octets, size_t length,
                                 struct etsi004_frame *frame)
{
    struct buf input;
    enum etsi004_framing framing;

    buf_init(&input, OCTETS_MAX);
    buf_put(&input, octets->data, length);
    framing = etsi004_frame_take(&input, frame);
    if (framing == ETSI004_COMPLETE)
        assert_ptr_equal(frame->payload, input.data + ETSI004_HEADER_BYTES);
    frame->payload = NULL;
    buf_free(&input);
    return framing;
}

static enum etsi004_framing take_text(const char *text, struct etsi004_frame *frame)
{
    static struct octets octets;

    octets_of(&octets, text);
    return take(&octets, octets.length, frame);
}

static void a_message_is_complete_with_its_last_octet(void **state)
{
    static struct octets octets;
    struct etsi004_frame frame;

    (void)state;
    octets_of(&octets, "01000108 00000010 " STREAM_ID);
    for (size_t length = 0; length < octets.length; length++)
        assert_int_equal(take(&octets, length, &frame), ETSI004_INCOMPLETE);
    assert_int_equal(take(&octets, octets.length, &frame), ETSI004_COMPLETE);
    assert_int_equal(frame.service, ETSI004_CLOSE);
    assert_int_equal(frame.payload_bytes, 16);
}

static void only_the_first_of_two_messages_is_taken(void **state)
{
    struct etsi004_frame frame;

    (void)state;
    assert_int_equal(take_text("01000109 00000004 00000003 02010103 00000002 ffff", &frame),
                     ETSI004_COMPLETE);
    assert_int_equal(frame.service, ETSI004_CLOSE_ANSWER);
    assert_int_equal(frame.payload_bytes, 4);
}

static void a_message_without_a_payload_is_complete(void **state)
{
    struct etsi004_frame frame;

    (void)state;
    assert_int_equal(take_text("01000108 00000000", &frame), ETSI004_COMPLETE);
    assert_int_equal(frame.payload_bytes, 0);
}

static void any_version_and_service_are_handed_on(void **state)
{
    struct etsi004_frame frame;

    (void)state;
    assert_int_equal(take_text("090807ff 00000001 00", &frame), ETSI004_COMPLETE);
    assert_int_equal(frame.version.octets[0], 9);
    assert_int_equal(frame.version.octets[1], 8);
    assert_int_equal(frame.version.octets[2], 7);
    assert_int_equal(frame.service, 0xff);
}

static void a_payload_above_the_maximum_is_known_from_the_header(void **state)
{
    struct etsi004_frame frame;

    (void)state;
    assert_int_equal(take_text("01000102 00010000", &frame), ETSI004_INCOMPLETE);
    assert_int_equal(take_text("01000102 00010001", &frame), ETSI004_TOO_LARGE);
    assert_int_equal(take_text("01000102 7fffffff 00", &frame), ETSI004_TOO_LARGE);
    assert_int_equal(take_text("01000102 80000000 00", &frame), ETSI004_TOO_LARGE);
    assert_int_equal(take_text("01000102 ffffffff 00", &frame), ETSI004_TOO_LARGE);
    assert_int_equal(take_text("01000102 ffffff", &frame), ETSI004_INCOMPLETE);
}

static void the_largest_payload_is_taken(void **state)
{
    static const uint8_t header[] = {1, 0, 1, 2, 0, 1, 0, 0};
    struct etsi004_frame frame;
    struct buf input;
    uint8_t *rest;

    (void)state;
    buf_init(&input, ETSI004_HEADER_BYTES + ETSI004_PAYLOAD_MAX_BYTES);
    buf_put(&input, header, sizeof(header));
    rest = buf_reserve(&input, ETSI004_PAYLOAD_MAX_BYTES);
    assert_non_null(rest);
    memset(rest, 0x55, ETSI004_PAYLOAD_MAX_BYTES);
    input.length += ETSI004_PAYLOAD_MAX_BYTES - 1;
    assert_int_equal(etsi004_frame_take(&input, &frame), ETSI004_INCOMPLETE);
    input.length++;
    assert_int_equal(etsi004_frame_take(&input, &frame), ETSI004_COMPLETE);
    assert_int_equal(frame.payload_bytes, ETSI004_PAYLOAD_MAX_BYTES);
    buf_free(&input);
}

static void each_profile_has_its_version(void **state)
{
    static const struct etsi004_version others[] = {
        {{1, 0, 1}}, {{9, 9, 9}}, {{2, 1, 0}}, {{2, 0, 1}}, {{1, 1, 1}}, {{0, 0, 0}},
    };
    static const uint8_t w1[] = {1, 0, 1}, w2[] = {2, 1, 1};

    (void)state;
    assert_memory_equal(etsi004_version_of(ETSI004_W1).octets, w1, sizeof(w1));
    assert_memory_equal(etsi004_version_of(ETSI004_W2).octets, w2, sizeof(w2));
    assert_int_equal(etsi004_profile_of(etsi004_version_of(ETSI004_W2)), ETSI004_W2);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(etsi004_profile_of(others[i]), ETSI004_W1);
}

/* Clause 6.1, Table 2: the numbers are 0 to 8 in the order of the enum, in both profiles. */
static void outcomes_are_the_numbers_of_the_standard(void **state)
{
    (void)state;
    for (size_t p = 0; p < COUNT_OF(both_profiles); p++) {
        for (int i = 0; i < ETSI004_OUTCOME_COUNT; i++) {
            struct etsi004_version version = etsi004_version_of(both_profiles[p]);
            char expected[64];
            struct buf buf;

            buf_init(&buf, 64);
            etsi004_close_answer_put(&buf, both_profiles[p], version, (enum etsi004_outcome)i);
            snprintf(expected, sizeof(expected), "%02x%02x%02x09 00000004 %08x", version.octets[0],
                     version.octets[1], version.octets[2], (unsigned)i);
            assert_octets(&buf, expected);
        }
    }
}

static void an_outcome_that_is_none_fails_the_buffer(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 64);
    etsi004_close_answer_put(&buf, ETSI004_W1, etsi004_version_of(ETSI004_W1),
                             ETSI004_OUTCOME_COUNT);
    assert_true(buf.failed);
    buf_free(&buf);
}

static void each_outcome_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < ETSI004_OUTCOME_COUNT; i++) {
        const char *text = etsi004_outcome_text((enum etsi004_outcome)i);

        assert_true(strlen(text) > 0 && text[strlen(text) - 1] != '.');
        for (int j = 0; j < i; j++)
            assert_string_not_equal(text, etsi004_outcome_text((enum etsi004_outcome)j));
    }
    assert_string_equal(etsi004_outcome_text(ETSI004_OUTCOME_COUNT), "unknown status");
}

static void messages_follow_each_other_in_one_buffer(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 128);
    etsi004_close_answer_put(&buf, ETSI004_W1, etsi004_version_of(ETSI004_W1), ETSI004_SUCCESS);
    etsi004_close_put(&buf, ETSI004_W2, &sample_stream_id);
    assert_octets(&buf, "01000109 00000004 00000000 02010108 00000010 " STREAM_ID);
}

static void a_message_that_does_not_fit_fails_the_buffer(void **state)
{
    (void)state;
    for (size_t room = 0; room <= 24; room++) {
        struct buf buf;

        buf_init(&buf, room);
        etsi004_close_put(&buf, ETSI004_W1, &sample_stream_id);
        assert_int_equal(buf.failed, room < 24);
        buf_free(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_complete_with_its_last_octet),
        cmocka_unit_test(only_the_first_of_two_messages_is_taken),
        cmocka_unit_test(a_message_without_a_payload_is_complete),
        cmocka_unit_test(any_version_and_service_are_handed_on),
        cmocka_unit_test(a_payload_above_the_maximum_is_known_from_the_header),
        cmocka_unit_test(the_largest_payload_is_taken),
        cmocka_unit_test(each_profile_has_its_version),
        cmocka_unit_test(outcomes_are_the_numbers_of_the_standard),
        cmocka_unit_test(an_outcome_that_is_none_fails_the_buffer),
        cmocka_unit_test(each_outcome_has_a_sentence_of_its_own),
        cmocka_unit_test(messages_follow_each_other_in_one_buffer),
        cmocka_unit_test(a_message_that_does_not_fit_fails_the_buffer),
    };

    return RUN_TESTS(tests);
}
