/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of ETSI 004 in a notation for octets, for the test_etsi004_*.c: hexadecimal digits,
 * 'text', and 00*240 for an octet repeated. Spaces are for the reader.
 */
#ifndef QKD_TESTS_UNIT_TEST_ETSI004_H
#define QKD_TESTS_UNIT_TEST_ETSI004_H

#include "tests/unit/unit.h"

#include <stdlib.h>

#include "etsi/etsi004.h"

enum { OCTETS_MAX = 16384 };

struct octets {
    uint8_t data[OCTETS_MAX];
    size_t length;
};

#define STREAM_ID " 00112233445546678899aabbccddeeff "
#define URIS "'client://a' 00 'server://b' 00 "
#define QOS_NUMBERS " 00000020 00009c40 00001388 0000000a 00000000 00001388 00000e10 "
#define QOS_W1 QOS_NUMBERS "'application/json' 00*240 "
#define QOS_W2 QOS_NUMBERS "'application/json' 00 "
#define NO_QOS_W2 "00*28 00 "
#define KEY_TEXT "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf b0b1b2b3b4b5b6b7b8b9babbbcbdbebf "
#define METADATA "{\"age\": 1795443700127, \"hops\": 0}"
#define KEY_BODY "00000000 00000020 " KEY_TEXT "00000021 '" METADATA "'"

static const struct key_id sample_stream_id = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x46, 0x67,
                                                0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};

static const struct key_id no_stream_id;

static const struct etsi004_qos sample_qos = {32, 40000, 5000, 10,
                                              0,  5000,  3600, "application/json"};

static const enum etsi004_profile both_profiles[] = {ETSI004_W1, ETSI004_W2};

static inline void octets_add(struct octets *octets, uint8_t octet, size_t count)
{
    assert_true(count <= sizeof(octets->data) - octets->length);
    memset(octets->data + octets->length, octet, count);
    octets->length += count;
}

/* Adds one octet, its repetition or one text; returns what follows in the notation. */
static inline const char *octets_add_next(struct octets *octets, const char *text)
{
    char digits[3] = {text[0], text[1], '\0'};
    char *end;
    uint8_t octet;

    if (*text == '\'') {
        for (text++; *text != '\''; text++)
            octets_add(octets, (uint8_t)*text, 1);
        return text + 1;
    }
    octet = (uint8_t)strtoul(digits, &end, 16);
    assert_true(end == digits + 2);
    text += 2;
    if (*text != '*') {
        octets_add(octets, octet, 1);
        return text;
    }
    octets_add(octets, octet, strtoul(text + 1, &end, 10));
    return end;
}

static inline struct octets *octets_of(struct octets *octets, const char *text)
{
    octets->length = 0;
    while (*text != '\0')
        text = *text == ' ' ? text + 1 : octets_add_next(octets, text);
    return octets;
}

/* Whether buf holds exactly what the notation says. Frees buf. */
static inline void assert_octets(struct buf *buf, const char *text)
{
    static struct octets expected;

    octets_of(&expected, text);
    assert_false(buf->failed);
    for (size_t i = 0; i < buf->length && i < expected.length; i++)
        if (buf->data[i] != expected.data[i])
            fail_msg("octet %zu is %02x instead of %02x", i, buf->data[i], expected.data[i]);
    assert_int_equal(buf->length, expected.length);
    buf_free(buf);
}

/* The frame that one whole message is. */
static inline struct etsi004_frame frame_of(struct octets *message)
{
    struct buf input = {.data = message->data,
                        .length = message->length,
                        .capacity = message->length,
                        .max_bytes = message->length};
    struct etsi004_frame frame;

    assert_int_equal(etsi004_frame_take(&input, &frame), ETSI004_COMPLETE);
    assert_int_equal(frame.payload_bytes + ETSI004_HEADER_BYTES, message->length);
    return frame;
}

/* A parser in the profile that its connection spoke, and whether it accepts. */
typedef bool accepts_function(const struct etsi004_frame *frame, enum etsi004_profile profile);

/* With the payload alone in memory of its size, so that a sanitizer sees reads beyond it. */
static inline bool accepts_payload(accepts_function *accepts, enum etsi004_profile profile,
                                   uint8_t service, const uint8_t *payload, size_t length)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    struct etsi004_frame frame = {{{1, 0, 1}}, service, copy, length};
    bool accepted;

    assert_non_null(copy);
    if (length > 0)
        memcpy(copy, payload, length);
    accepted = accepts(&frame, profile);
    free(copy);
    return accepted;
}

static inline bool accepts_text(accepts_function *accepts, enum etsi004_profile profile,
                                uint8_t service, const char *payload)
{
    static struct octets octets;

    octets_of(&octets, payload);
    return accepts_payload(accepts, profile, service, octets.data, octets.length);
}

enum { NO_CUT = -1 };

/* Every payload shorter than this one is refused, but for the one whose length makes it whole
 * in the other profile. */
static inline void assert_cuts_refused(accepts_function *accepts, enum etsi004_profile profile,
                                       uint8_t service, const char *payload, int whole_at)
{
    static struct octets octets;

    octets_of(&octets, payload);
    assert_true(accepts_payload(accepts, profile, service, octets.data, octets.length));
    for (size_t cut = 0; cut < octets.length; cut++)
        if (accepts_payload(accepts, profile, service, octets.data, cut) != ((int)cut == whole_at))
            fail_msg("%s of service %d in profile %d cut to %zu octets", payload, service,
                     (int)profile, cut);
}

/* An answer that a client of the profile refuses. */
struct bad_answer {
    const char *what;
    enum etsi004_profile profile;
    const char *message;
    const char *sentence; /* part of it */
};

#endif
