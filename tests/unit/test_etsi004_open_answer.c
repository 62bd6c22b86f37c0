/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_etsi004.h"

enum { ROOM = 4096 };

enum { OPEN_ANSWER = ETSI004_OPEN_CONNECT_ANSWER };

static const struct etsi004_version odd_version = {{9, 8, 7}};

static bool parses_open_answer(const char *message, enum etsi004_profile profile,
                               struct etsi004_open_answer *answer, struct status *status)
{
    static struct octets octets;
    struct etsi004_frame frame = frame_of(octets_of(&octets, message));

    memset(answer, 0xee, sizeof(*answer));
    status_clear(status);
    return etsi004_open_answer_parse(&frame, profile, answer, status);
}

static void assert_open_answer_written(enum etsi004_profile profile, struct etsi004_version version,
                                       const struct etsi004_open_answer *answer,
                                       const char *message)
{
    struct buf buf;

    buf_init(&buf, ROOM);
    etsi004_open_answer_put(&buf, profile, version, answer);
    assert_octets(&buf, message);
}

static void check_granted(enum etsi004_profile profile, const char *message,
                          enum etsi004_outcome outcome)
{
    struct etsi004_open_answer granted = {outcome, sample_qos, sample_stream_id}, parsed;
    struct status status;

    assert_open_answer_written(profile, etsi004_version_of(profile), &granted, message);
    assert_true(parses_open_answer(message, profile, &parsed, &status));
    assert_int_equal(status.outcome, OUTCOME_OK);
    assert_int_equal(parsed.outcome, outcome);
    assert_memory_equal(&parsed.qos, &sample_qos, offsetof(struct etsi004_qos, metadata_mimetype));
    assert_string_equal(parsed.qos.metadata_mimetype, sample_qos.metadata_mimetype);
    assert_true(key_id_equal(&parsed.stream_id, &sample_stream_id));
}

static void an_opened_stream_is_the_vector_in_both_directions(void **state)
{
    (void)state;
    check_granted(ETSI004_W1, "01000103 00000130 00000000" QOS_W1 STREAM_ID, ETSI004_SUCCESS);
    check_granted(ETSI004_W1, "01000103 00000130 00000001" QOS_W1 STREAM_ID,
                  ETSI004_PEER_NOT_YET_CONNECTED);
    check_granted(ETSI004_W1, "01000103 00000130 00000007" QOS_W1 STREAM_ID, ETSI004_QOS_NOT_MET);
    check_granted(ETSI004_W2, "02010103 00000041 00000000" QOS_W2 STREAM_ID, ETSI004_SUCCESS);
    check_granted(ETSI004_W2, "02010103 00000041 00000001" QOS_W2 STREAM_ID,
                  ETSI004_PEER_NOT_YET_CONNECTED);
    check_granted(ETSI004_W2, "02010103 00000041 00000007" QOS_W2 STREAM_ID, ETSI004_QOS_NOT_MET);
}

static void an_answer_to_open_connect_has_the_version_of_its_request(void **state)
{
    struct etsi004_open_answer answer = {ETSI004_SUCCESS, sample_qos, sample_stream_id};

    (void)state;
    assert_open_answer_written(ETSI004_W2, odd_version, &answer,
                               "09080703 00000041 00000000" QOS_W2 STREAM_ID);
}

static const enum etsi004_outcome open_refusals[] = {
    ETSI004_INSUFFICIENT_KEY, ETSI004_PEER_NOT_CONNECTED, ETSI004_NO_QKD_CONNECTION, ETSI004_IN_USE,
    ETSI004_TIMEOUT,          ETSI004_METADATA_TOO_SMALL,
};

/* Short in W1, complete in W2 whatever the struct holds; a client of either takes both. */
static void a_refused_open_connect_is_taken_in_the_form_of_either_profile(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(open_refusals); i++) {
        struct etsi004_open_answer refused = {open_refusals[i], sample_qos, sample_stream_id};
        char messages[2][128];

        snprintf(messages[0], sizeof(messages[0]), "01000103 00000004 %08x",
                 (unsigned)open_refusals[i]);
        snprintf(messages[1], sizeof(messages[1]), "02010103 00000031 %08x" NO_QOS_W2 "00*16",
                 (unsigned)open_refusals[i]);
        for (size_t p = 0; p < COUNT_OF(both_profiles); p++) {
            assert_open_answer_written(both_profiles[p], etsi004_version_of(both_profiles[p]),
                                       &refused, messages[p]);
            for (size_t form = 0; form < COUNT_OF(messages); form++) {
                struct etsi004_open_answer parsed;
                struct status status;

                assert_true(parses_open_answer(messages[form], both_profiles[p], &parsed, &status));
                assert_int_equal(parsed.outcome, open_refusals[i]);
                assert_int_equal(parsed.qos.key_chunk_size_bytes, 0);
                assert_true(key_id_is_zero(&parsed.stream_id));
            }
        }
    }
}

static void nothing_of_a_refusal_is_kept(void **state)
{
    struct etsi004_open_answer parsed;
    struct status status;

    (void)state;
    assert_true(parses_open_answer("02010103 00000041 00000005" QOS_W2 STREAM_ID, ETSI004_W2,
                                   &parsed, &status));
    assert_int_equal(parsed.outcome, ETSI004_IN_USE);
    assert_true(is_zero((const uint8_t *)&parsed.qos, sizeof(parsed.qos)));
    assert_true(key_id_is_zero(&parsed.stream_id));
}

static const struct bad_answer bad_open_answers[] = {
    {"success in the other profile", ETSI004_W1, "01000103 00000041 00000000" QOS_W2 STREAM_ID,
     "the other wire profile"},
    {"success in the other profile", ETSI004_W2, "02010103 00000130 00000000" QOS_W1 STREAM_ID,
     "the other wire profile"},
    {"success without terms", ETSI004_W1, "01000103 00000004 00000000", "4 octets is malformed"},
    {"success without terms", ETSI004_W2, "01000103 00000004 00000000", "4 octets is malformed"},
    {"status 1 without terms", ETSI004_W1, "01000103 00000004 00000001", "4 octets is malformed"},
    {"status 7 without terms", ETSI004_W1, "01000103 00000004 00000007", "4 octets is malformed"},
    {"status 7 without terms", ETSI004_W2, "01000103 00000004 00000007", "4 octets is malformed"},
    {"a refusal between two forms", ETSI004_W1, "01000103 00000008 00000005 00000000",
     "8 octets is malformed"},
    {"a refusal between two forms", ETSI004_W2, "01000103 00000008 00000005 00000000",
     "8 octets is malformed"},
    {"status 9", ETSI004_W1, "01000103 00000004 00000009", "unknown status 9"},
    {"status 4294967295", ETSI004_W2, "01000103 00000004 ffffffff", "unknown status 4294967295"},
    {"no status", ETSI004_W1, "01000103 00000000", "0 octets has no status"},
    {"part of a status", ETSI004_W2, "01000103 00000003 000000", "3 octets has no status"},
    {"another service", ETSI004_W1, "01000105 00000004 00000005", "0x05 instead of 0x03"},
    {"the request itself", ETSI004_W1, "01000102 00000004 00000005", "0x02 instead of 0x03"},
    {"service ERROR", ETSI004_W2, "02010100 00000004 00000005", "0x00 instead of 0x03"},
    {"a media type without NUL", ETSI004_W1,
     "01000103 00000130 00000000" QOS_NUMBERS "78*256" STREAM_ID, "malformed"},
    {"a media type without NUL", ETSI004_W2,
     "02010103 00000130 00000000" QOS_NUMBERS "78*256" STREAM_ID, "malformed"},
    {"an octet behind it", ETSI004_W1, "01000103 00000131 00000000" QOS_W1 STREAM_ID "00",
     "malformed"},
    {"an octet behind it", ETSI004_W2, "02010103 00000042 00000000" QOS_W2 STREAM_ID "00",
     "malformed"},
};

static void what_is_no_answer_to_open_connect_is_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_open_answers); i++) {
        const struct bad_answer *bad = &bad_open_answers[i];
        struct etsi004_open_answer answer;
        struct status status;

        if (parses_open_answer(bad->message, bad->profile, &answer, &status))
            fail_msg("accepted: %s", bad->what);
        assert_failed(&status, OUTCOME_KME, bad->sentence);
    }
}

static bool accepts_open_answer(const struct etsi004_frame *frame, enum etsi004_profile profile)
{
    struct etsi004_open_answer answer;
    struct status status = STATUS_INIT;

    return etsi004_open_answer_parse(frame, profile, &answer, &status);
}

/* A refusal of W2 cut to the size of one of W1 is that. */
static void every_cut_of_an_answer_to_open_connect_is_refused(void **state)
{
    enum { SHORT_BYTES = 4 };

    (void)state;
    assert_cuts_refused(accepts_open_answer, ETSI004_W1, OPEN_ANSWER, "00*4" QOS_W1 STREAM_ID,
                        NO_CUT);
    assert_cuts_refused(accepts_open_answer, ETSI004_W2, OPEN_ANSWER, "00*4" QOS_W2 STREAM_ID,
                        NO_CUT);
    for (size_t p = 0; p < COUNT_OF(both_profiles); p++) {
        assert_cuts_refused(accepts_open_answer, both_profiles[p], OPEN_ANSWER, "00000005", NO_CUT);
        assert_cuts_refused(accepts_open_answer, both_profiles[p], OPEN_ANSWER,
                            "00000005" NO_QOS_W2 "00*16", SHORT_BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_opened_stream_is_the_vector_in_both_directions),
        cmocka_unit_test(an_answer_to_open_connect_has_the_version_of_its_request),
        cmocka_unit_test(a_refused_open_connect_is_taken_in_the_form_of_either_profile),
        cmocka_unit_test(nothing_of_a_refusal_is_kept),
        cmocka_unit_test(what_is_no_answer_to_open_connect_is_refused_with_a_reason),
        cmocka_unit_test(every_cut_of_an_answer_to_open_connect_is_refused),
    };

    return RUN_TESTS(tests);
}
