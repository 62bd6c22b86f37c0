/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_etsi004.h"

enum { ROOM = 16384, KEY_BYTES = 32 };

enum { KEY_ANSWER = ETSI004_GET_KEY_ANSWER, CLOSE_ANSWER = ETSI004_CLOSE_ANSWER };

static const struct etsi004_version odd_version = {{9, 8, 7}};

static struct secret *sample_key(void)
{
    struct secret *key = secret_new(KEY_BYTES);

    assert_non_null(key);
    for (size_t i = 0; i < KEY_BYTES; i++)
        key->bytes[i] = (uint8_t)(0xa0 + i);
    return key;
}

static bool parses_key_answer(const char *message, enum etsi004_profile profile,
                              struct etsi004_key_answer *answer, struct status *status)
{
    static struct octets octets;
    struct etsi004_frame frame = frame_of(octets_of(&octets, message));

    memset(answer, 0xee, sizeof(*answer));
    status_clear(status);
    return etsi004_key_answer_parse(&frame, profile, answer, status);
}

static void check_key(enum etsi004_profile profile, const char *message, uint32_t index,
                      const char *metadata)
{
    struct etsi004_key_answer answer = {ETSI004_SUCCESS, index, sample_key(), 0, ""}, parsed;
    struct status status;
    struct buf buf;

    answer.metadata_bytes = (uint32_t)strlen(metadata);
    memcpy(answer.metadata, metadata, answer.metadata_bytes);
    buf_init(&buf, ROOM);
    etsi004_key_answer_put(&buf, profile, etsi004_version_of(profile), &answer);
    assert_octets(&buf, message);
    assert_true(parses_key_answer(message, profile, &parsed, &status));
    assert_int_equal(status.outcome, OUTCOME_OK);
    assert_int_equal(parsed.outcome, ETSI004_SUCCESS);
    assert_int_equal(parsed.index, index);
    assert_true(secret_equal(parsed.key, answer.key));
    assert_int_equal(parsed.metadata_bytes, answer.metadata_bytes);
    assert_string_equal(parsed.metadata, metadata);
    secret_free(parsed.key);
    secret_free(answer.key);
}

static void a_key_is_the_vector_in_both_directions(void **state)
{
    (void)state;
    check_key(ETSI004_W1, "01000105 00000051 00000000" KEY_BODY, 0, METADATA);
    check_key(ETSI004_W2, "02010105 00000051 00000000" KEY_BODY, 0, METADATA);
    check_key(ETSI004_W1, "01000105 00000030 00000000 01020304 00000020" KEY_TEXT "00000000",
              0x01020304, "");
    check_key(ETSI004_W2, "02010105 00000030 00000000 ffffffff 00000020" KEY_TEXT "00000000",
              UINT32_MAX, "");
}

static const enum etsi004_outcome key_refusals[] = {
    ETSI004_PEER_NOT_YET_CONNECTED,
    ETSI004_INSUFFICIENT_KEY,
    ETSI004_PEER_NOT_CONNECTED,
    ETSI004_NO_QKD_CONNECTION,
    ETSI004_IN_USE,
    ETSI004_TIMEOUT,
    ETSI004_QOS_NOT_MET,
};

static void assert_refusal_written(enum etsi004_profile profile, enum etsi004_outcome outcome,
                                   const char *message)
{
    struct etsi004_key_answer answer = {outcome, 7, sample_key(), 5, "12345"};
    struct buf buf;

    buf_init(&buf, ROOM);
    etsi004_key_answer_put(&buf, profile, etsi004_version_of(profile), &answer);
    assert_octets(&buf, message);
    secret_free(answer.key);
}

static void assert_refusal_taken(enum etsi004_profile profile, enum etsi004_outcome outcome,
                                 uint32_t needed_bytes, const char *message)
{
    struct etsi004_key_answer parsed;
    struct status status;

    assert_true(parses_key_answer(message, profile, &parsed, &status));
    assert_int_equal(status.outcome, OUTCOME_OK);
    assert_int_equal(parsed.outcome, outcome);
    assert_int_equal(parsed.index, 0);
    assert_null(parsed.key);
    assert_int_equal(parsed.metadata_bytes, needed_bytes);
    assert_true(is_zero((const uint8_t *)parsed.metadata, sizeof(parsed.metadata)));
}

/* Even where the struct holds a key, a refusal has none. */
static void a_refused_get_key_is_taken_in_the_form_of_either_profile(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(key_refusals); i++) {
        char messages[2][128];

        snprintf(messages[0], sizeof(messages[0]), "01000105 00000004 %08x",
                 (unsigned)key_refusals[i]);
        snprintf(messages[1], sizeof(messages[1]),
                 "02010105 00000010 %08x 00000007 00000000 00000000", (unsigned)key_refusals[i]);
        for (size_t p = 0; p < COUNT_OF(both_profiles); p++) {
            assert_refusal_written(both_profiles[p], key_refusals[i], messages[p]);
            for (size_t form = 0; form < COUNT_OF(messages); form++)
                assert_refusal_taken(both_profiles[p], key_refusals[i], 0, messages[form]);
        }
    }
}

static void the_room_that_metadata_needs_is_told_in_w1(void **state)
{
    struct etsi004_key_answer answer = {
        .outcome = ETSI004_METADATA_TOO_SMALL, .index = 7, .metadata_bytes = 33};
    struct buf buf;

    (void)state;
    buf_init(&buf, ROOM);
    etsi004_key_answer_put(&buf, ETSI004_W1, etsi004_version_of(ETSI004_W1), &answer);
    assert_octets(&buf, "01000105 00000008 00000008 00000021");
    etsi004_key_answer_put(&buf, ETSI004_W2, etsi004_version_of(ETSI004_W2), &answer);
    assert_octets(&buf, "02010105 00000010 00000008 00000007 00000000 00000000");
    for (size_t p = 0; p < COUNT_OF(both_profiles); p++) {
        assert_refusal_taken(both_profiles[p], ETSI004_METADATA_TOO_SMALL, 33,
                             "01000105 00000008 00000008 00000021");
        assert_refusal_taken(both_profiles[p], ETSI004_METADATA_TOO_SMALL, UINT32_MAX,
                             "01000105 00000008 00000008 ffffffff");
        assert_refusal_taken(both_profiles[p], ETSI004_METADATA_TOO_SMALL, 0,
                             "02010105 00000010 00000008 00000007 00000000 00000000");
        assert_refusal_taken(both_profiles[p], ETSI004_METADATA_TOO_SMALL, 5,
                             "02010105 00000015 00000008 00000007 00000000 00000005 '.....'");
    }
}

static void metadata_echoed_with_a_refusal_is_dropped(void **state)
{
    (void)state;
    assert_refusal_taken(ETSI004_W2, ETSI004_TIMEOUT, 0,
                         "02010105 00000012 00000006 00000000 00000000 00000002 0110");
}

static const struct bad_answer bad_key_answers[] = {
    {"a success of 4 octets", ETSI004_W1, "01000105 00000004 00000000", "do not add up"},
    {"a success of 4 octets", ETSI004_W2, "02010105 00000004 00000000", "do not add up"},
    {"a success of 8 octets", ETSI004_W1, "01000105 00000008 00000000 00000021", "do not add up"},
    {"no key", ETSI004_W1, "01000105 00000010 00000000 00000000 00000000 00000000",
     "has 0 octets, not 1 to 8192"},
    {"a key above the maximum", ETSI004_W1,
     "01000105 00002011 00000000 00000000 00002001 55*8193 00000000", "has 8193 octets"},
    {"a key of 4 GiB", ETSI004_W1, "01000105 00000030 00000000 00000000 ffffffff" KEY_TEXT "00*4",
     "has 4294967295 octets"},
    {"a key length that wraps with its place", ETSI004_W2,
     "02010105 00000030 00000000 00000000 fffffff4" KEY_TEXT "00*4", "has 4294967284 octets"},
    {"a key longer than the answer", ETSI004_W1,
     "01000105 00000030 00000000 00000000 00000025" KEY_TEXT "00*4", "do not add up"},
    {"a key over the metadata length", ETSI004_W1,
     "01000105 00000030 00000000 00000000 00000021" KEY_TEXT "00*4", "do not add up"},
    {"a key shorter than told", ETSI004_W1,
     "01000105 00000030 00000000 00000000 0000001f" KEY_TEXT "00*4", "do not add up"},
    {"metadata of 4 GiB", ETSI004_W1,
     "01000105 00000031 00000000 00000000 00000020" KEY_TEXT "ffffffff 00", "do not add up"},
    {"metadata longer than the answer", ETSI004_W2,
     "02010105 00000031 00000000 00000000 00000020" KEY_TEXT "00000002 00", "do not add up"},
    {"metadata shorter than told", ETSI004_W1,
     "01000105 00000032 00000000 00000000 00000020" KEY_TEXT "00000001 0000", "do not add up"},
    {"metadata above the maximum", ETSI004_W1,
     "01000105 00001031 00000000 00000000 00000020" KEY_TEXT "00001001 20*4097", "do not add up"},
    {"a refusal of 8 octets", ETSI004_W1, "01000105 00000008 00000002 00000021", "is malformed"},
    {"a refusal of 12 octets", ETSI004_W2, "02010105 0000000c 00000002 00*8", "is malformed"},
    {"status 8 without a size", ETSI004_W1, "01000105 00000004 00000008", "is malformed"},
    {"the length of a key in a refusal", ETSI004_W2,
     "02010105 00000010 00000002 00000000 00000001 00000000", "is malformed"},
    {"a key in a refusal", ETSI004_W2, "02010105 00000011 00000002 00000000 00000001 00000000 55",
     "is malformed"},
    {"a key in a refusal", ETSI004_W2, "02010105 00000011 00000002 00000000 00000001 55 00000000",
     "is malformed"},
    {"more than a refusal", ETSI004_W2, "02010105 00000011 00000006 00000000 00000000 00000000 00",
     "is malformed"},
    {"4 GiB echoed with a refusal", ETSI004_W2,
     "02010105 00000011 00000006 00000000 00000000 ffffffff 00", "is malformed"},
    {"status 9", ETSI004_W1, "01000105 00000004 00000009", "unknown status 9"},
    {"no status", ETSI004_W1, "01000105 00000003 000000", "has no status"},
    {"another service", ETSI004_W1, "01000109 00000004 00000002", "0x09 instead of 0x05"},
    {"service ERROR", ETSI004_W2, "02010100 00000004 00000002", "0x00 instead of 0x05"},
};

static void what_is_no_answer_to_get_key_is_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_key_answers); i++) {
        const struct bad_answer *bad = &bad_key_answers[i];
        struct etsi004_key_answer answer;
        struct status status;

        if (parses_key_answer(bad->message, bad->profile, &answer, &status))
            fail_msg("accepted: %s", bad->what);
        assert_failed(&status, OUTCOME_KME, bad->sentence);
        assert_null(answer.key);
    }
}

static void the_largest_key_and_metadata_pass_both_ways(void **state)
{
    struct etsi004_key_answer parsed,
        answer = {ETSI004_SUCCESS, 1, NULL, ETSI004_METADATA_MAX_BYTES, ""};
    struct status status = STATUS_INIT;
    struct etsi004_frame frame;
    struct buf buf;

    (void)state;
    answer.key = secret_new(ETSI004_CHUNK_MAX_BYTES);
    assert_non_null(answer.key);
    memset(answer.key->bytes, 0x5a, answer.key->size_bytes);
    memset(answer.metadata, 'm', ETSI004_METADATA_MAX_BYTES);
    buf_init(&buf, ROOM);
    etsi004_key_answer_put(&buf, ETSI004_W1, etsi004_version_of(ETSI004_W1), &answer);
    assert_false(buf.failed);
    assert_int_equal(etsi004_frame_take(&buf, &frame), ETSI004_COMPLETE);
    assert_true(etsi004_key_answer_parse(&frame, ETSI004_W1, &parsed, &status));
    assert_true(secret_equal(parsed.key, answer.key));
    assert_int_equal(strlen(parsed.metadata), ETSI004_METADATA_MAX_BYTES);
    secret_free(parsed.key);
    secret_free(answer.key);
    buf_free(&buf);
}

static void a_success_that_cannot_be_read_is_not_written(void **state)
{
    struct etsi004_key_answer answer = {.outcome = ETSI004_SUCCESS};
    struct buf buf;

    (void)state;
    buf_init(&buf, ROOM);
    etsi004_key_answer_put(&buf, ETSI004_W1, etsi004_version_of(ETSI004_W1), &answer);
    assert_true(buf.failed);
    buf_free(&buf);
    answer.key = sample_key();
    answer.metadata_bytes = ETSI004_METADATA_MAX_BYTES + 1;
    etsi004_key_answer_put(&buf, ETSI004_W1, etsi004_version_of(ETSI004_W1), &answer);
    assert_true(buf.failed);
    buf_free(&buf);
    secret_free(answer.key);
}

static bool accepts_key_answer(const struct etsi004_frame *frame, enum etsi004_profile profile)
{
    struct etsi004_key_answer answer;
    struct status status = STATUS_INIT;
    bool accepted = etsi004_key_answer_parse(frame, profile, &answer, &status);

    secret_free(answer.key);
    return accepted;
}

static bool accepts_close_answer(const struct etsi004_frame *frame, enum etsi004_profile profile)
{
    enum etsi004_outcome outcome;
    struct status status = STATUS_INIT;

    return etsi004_close_answer_parse(frame, profile, &outcome, &status);
}

static void a_close_is_answered_by_the_vector_in_both_directions(void **state)
{
    (void)state;
    for (size_t p = 0; p < COUNT_OF(both_profiles); p++) {
        for (unsigned number = 0; number < 12; number++) {
            static struct octets octets;
            char message[64];
            struct etsi004_frame frame;
            enum etsi004_outcome outcome;
            struct status status = STATUS_INIT;

            snprintf(message, sizeof(message), "01000109 00000004 %08x", number);
            frame = frame_of(octets_of(&octets, message));
            if (number < ETSI004_OUTCOME_COUNT) {
                assert_true(
                    etsi004_close_answer_parse(&frame, both_profiles[p], &outcome, &status));
                assert_int_equal(outcome, number);
            } else {
                assert_false(
                    etsi004_close_answer_parse(&frame, both_profiles[p], &outcome, &status));
                assert_failed(&status, OUTCOME_KME, "unknown status");
            }
        }
        assert_false(
            accepts_text(accepts_close_answer, both_profiles[p], CLOSE_ANSWER, "00000000 00"));
        assert_false(accepts_text(accepts_close_answer, both_profiles[p], KEY_ANSWER, "00000000"));
    }
}

static void an_answer_has_the_version_of_its_request(void **state)
{
    struct etsi004_key_answer answer = {.outcome = ETSI004_TIMEOUT};
    struct buf buf;

    (void)state;
    buf_init(&buf, ROOM);
    etsi004_key_answer_put(&buf, ETSI004_W1, odd_version, &answer);
    assert_octets(&buf, "09080705 00000004 00000006");
    etsi004_close_answer_put(&buf, ETSI004_W1, odd_version, ETSI004_SUCCESS);
    assert_octets(&buf, "09080709 00000004 00000000");
}

/* A refusal of W2 cut to the size of one of W1 is that. */
static void every_cut_of_an_answer_is_refused(void **state)
{
    enum { SHORT_BYTES = 4, SHORT_WITH_SIZE_BYTES = 8 };

    (void)state;
    for (size_t p = 0; p < COUNT_OF(both_profiles); p++) {
        enum etsi004_profile profile = both_profiles[p];

        assert_cuts_refused(accepts_key_answer, profile, KEY_ANSWER, "00000000" KEY_BODY, NO_CUT);
        assert_cuts_refused(accepts_key_answer, profile, KEY_ANSWER, "00000003", NO_CUT);
        assert_cuts_refused(accepts_key_answer, profile, KEY_ANSWER, "00000008 00000021", NO_CUT);
        assert_cuts_refused(accepts_key_answer, profile, KEY_ANSWER, "00000003 00*12", SHORT_BYTES);
        assert_cuts_refused(accepts_key_answer, profile, KEY_ANSWER, "00000008 00*12",
                            SHORT_WITH_SIZE_BYTES);
        assert_cuts_refused(accepts_close_answer, profile, CLOSE_ANSWER, "00000000", NO_CUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_the_vector_in_both_directions),
        cmocka_unit_test(a_refused_get_key_is_taken_in_the_form_of_either_profile),
        cmocka_unit_test(the_room_that_metadata_needs_is_told_in_w1),
        cmocka_unit_test(metadata_echoed_with_a_refusal_is_dropped),
        cmocka_unit_test(what_is_no_answer_to_get_key_is_refused_with_a_reason),
        cmocka_unit_test(the_largest_key_and_metadata_pass_both_ways),
        cmocka_unit_test(a_success_that_cannot_be_read_is_not_written),
        cmocka_unit_test(a_close_is_answered_by_the_vector_in_both_directions),
        cmocka_unit_test(an_answer_has_the_version_of_its_request),
        cmocka_unit_test(every_cut_of_an_answer_is_refused),
    };

    return RUN_TESTS(tests);
}
