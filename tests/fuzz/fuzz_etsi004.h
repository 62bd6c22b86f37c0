/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds for all octets that come as a frame of ETSI 004, and the valid frames to start from:
 * for the fuzz target, and for the million frames of tests/unit/test_etsi004_mutation.c.
 */
#ifndef QKD_TESTS_FUZZ_FUZZ_ETSI004_H
#define QKD_TESTS_FUZZ_FUZZ_ETSI004_H

#include "tests/fuzz/fuzz.h"

#include "etsi/etsi004.h"

#define ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZEROS_48 ZEROS_16 ZEROS_16 ZEROS_16
#define ZEROS_240 ZEROS_48 ZEROS_48 ZEROS_48 ZEROS_48 ZEROS_48
#define STREAM_ID "\x00\x11\x22\x33\x44\x55\x46\x67\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
#define URIS "client://a\0server://b\0"
#define QOS_NUMBERS "\0\0\0\x20\0\0\x9c\x40\0\0\x13\x88\0\0\0\x0a\0\0\0\0\0\0\x13\x88\0\0\x0e\x10"
#define QOS_W1 QOS_NUMBERS "application/json" ZEROS_240
#define QOS_W2 QOS_NUMBERS "application/json\0"
#define KEY "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf"
#define METADATA "{\"age\": 1795443700127, \"hops\": 0}"
#define CHARS_51 "qwertyuiopasdfghjklzxcvbnmqwertyuiopasdfghjklzxcvbn"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\1\0\1\2\0\0\1\x42" URIS QOS_W1 ZEROS_16),
    FUZZ_SEED("\2\1\1\2\0\0\0\x53" URIS QOS_W2 STREAM_ID),
    FUZZ_SEED("\1\0\1\2\0\0\1\x42" URIS QOS_NUMBERS CHARS_51 CHARS_51 CHARS_51 CHARS_51 CHARS_51
              "\0" STREAM_ID),
    FUZZ_SEED("\2\1\1\2\0\0\0\x2f\0\0" ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0" STREAM_ID),
    FUZZ_SEED("\1\0\1\4\0\0\0\x18" STREAM_ID "\0\0\0\0\0\0\4\0"),
    FUZZ_SEED("\2\1\1\4\0\0\0\x1a" STREAM_ID "\0\0\0\1\0\0\0\2\0\x10"),
    FUZZ_SEED("\1\0\1\x08\0\0\0\x10" STREAM_ID),
    FUZZ_SEED("\1\0\1\3\0\0\1\x30\0\0\0\0" QOS_W1 STREAM_ID),
    FUZZ_SEED("\2\1\1\3\0\0\0\x41\0\0\0\7" QOS_W2 STREAM_ID),
    FUZZ_SEED("\2\1\1\3\0\0\0\x31\0\0\0\5" ZEROS_16 ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    FUZZ_SEED("\1\0\1\3\0\0\0\4\0\0\0\4"),
    FUZZ_SEED("\1\0\1\5\0\0\0\x51\0\0\0\0\0\0\0\0\0\0\0\x20" KEY KEY "\0\0\0\x21" METADATA),
    FUZZ_SEED("\2\1\1\5\0\0\0\x20\0\0\0\0\0\0\0\7\0\0\0\x10" KEY "\0\0\0\0"),
    FUZZ_SEED("\1\0\1\5\0\0\0\x08\0\0\0\x08\0\0\0\x21"),
    FUZZ_SEED("\2\1\1\5\0\0\0\x12\0\0\0\3\0\0\0\1\0\0\0\0\0\0\0\2\0\x10"),
    FUZZ_SEED("\1\0\1\x09\0\0\0\4\0\0\0\0"),
};
FUZZ_SEED_COUNT;

/* Which parsers took a frame. */
enum {
    TOOK_OPEN = 1,
    TOOK_GET_KEY = 2,
    TOOK_CLOSE = 4,
    TOOK_OPEN_ANSWER = 8,
    TOOK_KEY_ANSWER = 16,
    TOOK_CLOSE_ANSWER = 32,
    TOOK_ALL = 63
};

enum { FRAME_MAX_BYTES = ETSI004_HEADER_BYTES + ETSI004_PAYLOAD_MAX_BYTES };

static const enum etsi004_profile fuzz_profiles[] = {ETSI004_W1, ETSI004_W2};

/* What was written is the payload that was read, and nothing else. Frees buf. */
static inline void check_written(struct buf *buf, const struct etsi004_frame *frame)
{
    struct etsi004_frame again;

    FUZZ_CHECK(!buf->failed);
    FUZZ_CHECK(etsi004_frame_take(buf, &again) == ETSI004_COMPLETE);
    FUZZ_CHECK(again.payload_bytes + ETSI004_HEADER_BYTES == buf->length);
    FUZZ_CHECK(again.payload_bytes == frame->payload_bytes);
    FUZZ_CHECK(memcmp(again.payload, frame->payload, again.payload_bytes) == 0);
    buf_free(buf);
}

static inline unsigned check_open(const struct etsi004_frame *frame)
{
    enum etsi004_profile told[] = {ETSI004_W1, ETSI004_W2};
    static struct etsi004_open open;
    bool accepted = etsi004_open_parse(frame, &told[0], &open);
    struct buf buf;

    FUZZ_CHECK(etsi004_open_parse(frame, &told[1], &open) == accepted);
    if (!accepted) {
        FUZZ_CHECK(told[0] == ETSI004_W1 && told[1] == ETSI004_W2);
        return 0;
    }
    FUZZ_CHECK(strnlen(open.source, sizeof(open.source)) <= ETSI004_URI_MAX_CHARS);
    FUZZ_CHECK(strnlen(open.destination, sizeof(open.destination)) <= ETSI004_URI_MAX_CHARS);
    FUZZ_CHECK((told[0] != told[1]) ==
               (strlen(open.qos.metadata_mimetype) == ETSI004_MIMETYPE_BYTES - 1));
    for (size_t i = 0; i < 2; i++) {
        buf_init(&buf, FRAME_MAX_BYTES);
        etsi004_open_put(&buf, told[i], &open);
        check_written(&buf, frame);
    }
    return TOOK_OPEN;
}

/* The room that comes with a GET_KEY of W2 is not kept. */
static inline unsigned check_get_key(const struct etsi004_frame *frame)
{
    enum { FIXED_BYTES = KEY_ID_BYTES + 8 };
    enum etsi004_profile told[] = {ETSI004_W1, ETSI004_W2};
    struct etsi004_get_key get_key;
    bool accepted = etsi004_get_key_parse(frame, &told[0], &get_key);
    struct etsi004_frame fixed = *frame;
    struct buf buf;

    FUZZ_CHECK(etsi004_get_key_parse(frame, &told[1], &get_key) == accepted);
    if (!accepted) {
        FUZZ_CHECK(told[0] == ETSI004_W1 && told[1] == ETSI004_W2);
        return 0;
    }
    FUZZ_CHECK((told[0] != told[1]) == (get_key.metadata_bytes == 0));
    FUZZ_CHECK(frame->payload_bytes ==
               FIXED_BYTES + (told[0] == ETSI004_W2 ? get_key.metadata_bytes : 0));
    fixed.payload_bytes = FIXED_BYTES;
    buf_init(&buf, FRAME_MAX_BYTES);
    etsi004_get_key_put(&buf, ETSI004_W1, &get_key);
    check_written(&buf, &fixed);
    return TOOK_GET_KEY;
}

static inline unsigned check_close(const struct etsi004_frame *frame)
{
    struct key_id stream_id;
    struct buf buf;

    if (!etsi004_close_parse(frame, &stream_id))
        return 0;
    buf_init(&buf, FRAME_MAX_BYTES);
    etsi004_close_put(&buf, ETSI004_W1, &stream_id);
    check_written(&buf, frame);
    return TOOK_CLOSE;
}

static inline bool check_status(bool accepted, const struct status *status)
{
    FUZZ_CHECK(accepted ? status->outcome == OUTCOME_OK
                        : status->outcome == OUTCOME_KME && status->text[0] != '\0');
    return accepted;
}

static inline bool has_terms_of(enum etsi004_outcome outcome)
{
    return outcome == ETSI004_SUCCESS || outcome == ETSI004_PEER_NOT_YET_CONNECTED ||
           outcome == ETSI004_QOS_NOT_MET;
}

static inline void check_open_answer_fields(const struct etsi004_frame *frame,
                                            enum etsi004_profile profile,
                                            const struct etsi004_open_answer *answer)
{
    static const struct etsi004_qos no_qos;
    struct buf buf;

    FUZZ_CHECK((unsigned)answer->outcome < ETSI004_OUTCOME_COUNT);
    if (!has_terms_of(answer->outcome)) {
        FUZZ_CHECK(memcmp(&answer->qos, &no_qos, sizeof(no_qos)) == 0);
        FUZZ_CHECK(key_id_is_zero(&answer->stream_id));
        return;
    }
    buf_init(&buf, FRAME_MAX_BYTES);
    etsi004_open_answer_put(&buf, profile, frame->version, answer);
    check_written(&buf, frame);
}

/* Both profiles take the same refusals, and terms of the other profile only where they look the
 * same in both. */
static inline unsigned check_open_answer(const struct etsi004_frame *frame)
{
    static struct etsi004_open_answer answers[2];
    bool accepted[2];

    for (size_t i = 0; i < 2; i++) {
        struct status status = STATUS_INIT;

        accepted[i] = check_status(
            etsi004_open_answer_parse(frame, fuzz_profiles[i], &answers[i], &status), &status);
        if (accepted[i])
            check_open_answer_fields(frame, fuzz_profiles[i], &answers[i]);
    }
    if (accepted[0] && accepted[1]) {
        FUZZ_CHECK(answers[0].outcome == answers[1].outcome);
        FUZZ_CHECK(!has_terms_of(answers[0].outcome) ||
                   strlen(answers[0].qos.metadata_mimetype) == ETSI004_MIMETYPE_BYTES - 1);
    } else if (accepted[0] || accepted[1]) {
        FUZZ_CHECK(has_terms_of(answers[accepted[0] ? 0 : 1].outcome));
    }
    return accepted[0] || accepted[1] ? TOOK_OPEN_ANSWER : 0;
}

static inline void check_key_answer_fields(const struct etsi004_frame *frame,
                                           enum etsi004_profile profile,
                                           const struct etsi004_key_answer *answer)
{
    struct buf buf;

    FUZZ_CHECK((unsigned)answer->outcome < ETSI004_OUTCOME_COUNT);
    FUZZ_CHECK((answer->key != NULL) == (answer->outcome == ETSI004_SUCCESS));
    if (answer->key == NULL) {
        FUZZ_CHECK(answer->metadata[0] == '\0' && answer->index == 0);
        FUZZ_CHECK(answer->metadata_bytes == 0 || answer->outcome == ETSI004_METADATA_TOO_SMALL);
        return;
    }
    FUZZ_CHECK(answer->metadata_bytes <= ETSI004_METADATA_MAX_BYTES);
    FUZZ_CHECK(answer->metadata[answer->metadata_bytes] == '\0');
    buf_init(&buf, FRAME_MAX_BYTES);
    etsi004_key_answer_put(&buf, profile, frame->version, answer);
    check_written(&buf, frame);
}

/* A client of either profile reads the same from the same octets. */
static inline unsigned check_key_answer(const struct etsi004_frame *frame)
{
    static struct etsi004_key_answer answers[2];
    bool accepted[2];

    for (size_t i = 0; i < 2; i++) {
        struct status status = STATUS_INIT;

        accepted[i] = check_status(
            etsi004_key_answer_parse(frame, fuzz_profiles[i], &answers[i], &status), &status);
        FUZZ_CHECK(accepted[i] || answers[i].key == NULL);
        if (accepted[i])
            check_key_answer_fields(frame, fuzz_profiles[i], &answers[i]);
    }
    FUZZ_CHECK(accepted[0] == accepted[1]);
    if (accepted[0]) {
        FUZZ_CHECK(answers[0].outcome == answers[1].outcome);
        FUZZ_CHECK(answers[0].metadata_bytes == answers[1].metadata_bytes);
        FUZZ_CHECK(answers[0].key == NULL || secret_equal(answers[0].key, answers[1].key));
    }
    secret_free(answers[0].key);
    secret_free(answers[1].key);
    return accepted[0] ? TOOK_KEY_ANSWER : 0;
}

static inline unsigned check_close_answer(const struct etsi004_frame *frame)
{
    unsigned took = 0;

    for (size_t i = 0; i < 2; i++) {
        struct status status = STATUS_INIT;
        enum etsi004_outcome outcome;
        struct buf buf;

        if (!check_status(etsi004_close_answer_parse(frame, fuzz_profiles[i], &outcome, &status),
                          &status))
            continue;
        buf_init(&buf, FRAME_MAX_BYTES);
        etsi004_close_answer_put(&buf, fuzz_profiles[i], frame->version, outcome);
        check_written(&buf, frame);
        took = TOOK_CLOSE_ANSWER;
    }
    return took;
}

/* All parsers, whatever the service; a client's takes its own service only. */
static inline unsigned check_payload(const struct etsi004_frame *taken)
{
    struct etsi004_frame frame = *taken;
    unsigned took = check_open(&frame) | check_get_key(&frame) | check_close(&frame);

    frame.service = ETSI004_OPEN_CONNECT_ANSWER;
    FUZZ_CHECK(check_key_answer(&frame) == 0);
    took |= check_open_answer(&frame);
    frame.service = ETSI004_GET_KEY_ANSWER;
    FUZZ_CHECK(check_close_answer(&frame) == 0);
    took |= check_key_answer(&frame);
    frame.service = ETSI004_CLOSE_ANSWER;
    FUZZ_CHECK(check_open_answer(&frame) == 0);
    return took | check_close_answer(&frame);
}

/* Checks the frame at the front, and the octets behind the header as if its length were right:
 * most mutations break the length. Returns who took it. */
static inline unsigned check_frame(uint8_t *octets, size_t length)
{
    struct buf input = {.data = octets, .length = length, .capacity = length, .max_bytes = length};
    struct etsi004_frame frame = {.payload_bytes = SIZE_MAX};
    unsigned took = 0;

    switch (etsi004_frame_take(&input, &frame)) {
    case ETSI004_COMPLETE:
        FUZZ_CHECK(frame.payload == octets + ETSI004_HEADER_BYTES);
        FUZZ_CHECK(frame.payload_bytes <= length - ETSI004_HEADER_BYTES);
        took = check_payload(&frame);
        break;
    case ETSI004_TOO_LARGE:
        FUZZ_CHECK(frame.payload_bytes > ETSI004_PAYLOAD_MAX_BYTES);
        break;
    case ETSI004_INCOMPLETE:
        FUZZ_CHECK(length < ETSI004_HEADER_BYTES ||
                   frame.payload_bytes > length - ETSI004_HEADER_BYTES);
        break;
    }
    if (length <= ETSI004_HEADER_BYTES || length > FRAME_MAX_BYTES ||
        frame.payload_bytes == length - ETSI004_HEADER_BYTES)
        return took;
    frame.payload = octets + ETSI004_HEADER_BYTES;
    frame.payload_bytes = length - ETSI004_HEADER_BYTES;
    return took | check_payload(&frame);
}

#endif
