/* SPDX-License-Identifier: Apache-2.0 */
/* kme/link_codec.h: the frames about key streams, as vectors, and mutations of every octet. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "kme/link_codec.h"

enum { ROOM = 2 * LINK_FRAME_MAX_BYTES, ID_FIRST = 0xc0 };

/* length, type, sequence 5, stream ID c0..cf, opening 0x0102 */
#define HEAD(length, type)                                                                         \
    0, 0, 0, length, type, 0, 0, 0, 0, 0, 0, 0, 5, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, \
        0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0, 0, 0, 0, 0, 0, 1, 2

static const uint8_t open_vector[] = {HEAD(108, 0x04),
                                      1,
                                      0,
                                      0,
                                      0,
                                      0x20,
                                      0,
                                      0,
                                      0x9c,
                                      0x40,
                                      0,
                                      0,
                                      0x13,
                                      0x88,
                                      0,
                                      0,
                                      0,
                                      10,
                                      0,
                                      0,
                                      0,
                                      0,
                                      0,
                                      0,
                                      0x13,
                                      0x88,
                                      0,
                                      0,
                                      0x0e,
                                      0x10,
                                      0,
                                      0,
                                      0,
                                      4,
                                      'j',
                                      's',
                                      'o',
                                      'n',
                                      5,
                                      'a',
                                      'l',
                                      'i',
                                      'c',
                                      'e',
                                      3,
                                      'b',
                                      'o',
                                      'b',
                                      0,
                                      0,
                                      0,
                                      10,
                                      'c',
                                      'l',
                                      'i',
                                      'e',
                                      'n',
                                      't',
                                      ':',
                                      '/',
                                      '/',
                                      'a',
                                      0,
                                      0,
                                      0,
                                      10,
                                      's',
                                      'e',
                                      'r',
                                      'v',
                                      'e',
                                      'r',
                                      ':',
                                      '/',
                                      '/',
                                      'b'};

static const uint8_t joined_vector[] = {HEAD(33, 0x05)};

static const uint8_t chunk_vector[] = {
    HEAD(77, 0x06), 0,    0,    0,    7,    0,    0,    0,    40,   0,    0,    0,    2,
    0xa0,           0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac,
    0xad,           0xae, 0xaf, 0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9,
    0xba,           0xbb, 0xbc, 0xbd, 0xbe, 0xbf};

static const uint8_t want_vector[] = {HEAD(37, 0x07), 0xff, 0xff, 0xff, 0xff};

static const uint8_t closed_vector[] = {HEAD(34, 0x08), 1};

static void fill(uint8_t *to, size_t length, uint8_t first)
{
    for (size_t i = 0; i < length; i++)
        to[i] = (uint8_t)(first + i);
}

static void start(struct frame *frame, enum frame_type type)
{
    memset(frame, 0, sizeof(*frame));
    frame->type = type;
    frame->u.stream.sequence = 5;
    fill(frame->u.stream.stream_id.octets, KEY_ID_BYTES, ID_FIRST);
    frame->u.stream.opening = 0x0102;
}

static void fill_open(struct frame *frame)
{
    struct stream_opening *open = &frame->u.stream.u.open;

    start(frame, FRAME_STREAM_OPEN);
    open->generated = true;
    open->qos = (struct etsi004_qos){32, 40000, 5000, 10, 0, 5000, 3600, "json"};
    strcpy(open->initiator, "alice");
    strcpy(open->responder, "bob");
    strcpy(open->source, "client://a");
    strcpy(open->destination, "server://b");
}

static void fill_joined(struct frame *frame)
{
    start(frame, FRAME_STREAM_JOINED);
}

static void fill_chunk(struct frame *frame)
{
    struct stream_chunk *chunk = &frame->u.stream.u.chunk;

    start(frame, FRAME_STREAM_CHUNK);
    chunk->index = 7;
    chunk->cut.size_bytes = 40;
    chunk->cut.block_count = 2;
    fill(chunk->cut.blocks[0].octets, KEY_ID_BYTES, 0xa0);
    fill(chunk->cut.blocks[1].octets, KEY_ID_BYTES, 0xb0);
}

static void fill_want(struct frame *frame)
{
    start(frame, FRAME_STREAM_WANT);
    frame->u.stream.u.want.index = UINT32_MAX;
}

static void fill_closed(struct frame *frame)
{
    start(frame, FRAME_STREAM_CLOSED);
    frame->u.stream.u.closed.reason = STREAM_END_IN_USE;
}

static const struct {
    void (*fill)(struct frame *frame);
    const uint8_t *vector;
    size_t length;
} samples[] = {
    {fill_open, open_vector, sizeof(open_vector)},
    {fill_joined, joined_vector, sizeof(joined_vector)},
    {fill_chunk, chunk_vector, sizeof(chunk_vector)},
    {fill_want, want_vector, sizeof(want_vector)},
    {fill_closed, closed_vector, sizeof(closed_vector)},
};

static enum link_parse parse(const void *data, size_t length, struct frame *frame, size_t *used)
{
    struct status status = STATUS_INIT;
    enum link_parse result = link_parse(data, length, frame, used, &status);

    assert_int_equal(result == LINK_PARSE_BAD, status.outcome == OUTCOME_PEER);
    return result;
}

static void test_each_frame_is_its_vector_and_back(void **state)
{
    static struct frame written, read;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        struct buf buf;
        size_t used;

        buf_init(&buf, ROOM);
        samples[i].fill(&written);
        link_put_stream(&buf, &written);
        assert_false(buf.failed);
        assert_int_equal(buf.length, samples[i].length);
        assert_memory_equal(buf.data, samples[i].vector, samples[i].length);
        memset(&read, 0, sizeof(read));
        assert_int_equal(parse(buf.data, buf.length, &read, &used), LINK_PARSE_FRAME);
        assert_int_equal(used, buf.length);
        assert_memory_equal(&read, &written, sizeof(read));
        for (size_t length = 0; length < buf.length; length++)
            assert_int_equal(parse(buf.data, length, &read, &used), LINK_PARSE_MORE);
        buf_free(&buf);
    }
}

static void test_the_largest_frames_fit(void **state)
{
    static struct frame frame, read;
    struct stream_opening *open = &frame.u.stream.u.open;
    struct buf buf;
    size_t used;

    (void)state;
    buf_init(&buf, ROOM);
    fill_open(&frame);
    memset(open->initiator, 'i', ETSI014_ID_MAX_CHARS);
    memset(open->responder, 'r', ETSI014_ID_MAX_CHARS);
    memset(open->source, 's', ETSI004_URI_MAX_CHARS);
    memset(open->destination, 'd', ETSI004_URI_MAX_CHARS);
    memset(open->qos.metadata_mimetype, 'm', ETSI004_MIMETYPE_BYTES - 1);
    link_put_stream(&buf, &frame);
    assert_int_equal(parse(buf.data, buf.length, &read, &used), LINK_PARSE_FRAME);
    assert_int_equal(strlen(read.u.stream.u.open.destination), ETSI004_URI_MAX_CHARS);
    assert_int_equal(strlen(read.u.stream.u.open.qos.metadata_mimetype),
                     ETSI004_MIMETYPE_BYTES - 1);
    buf_reset(&buf);
    fill_chunk(&frame);
    frame.u.stream.u.chunk.cut.size_bytes = SECRET_MAX_BYTES;
    frame.u.stream.u.chunk.cut.block_count = KEY_MAX_BLOCKS;
    link_put_stream(&buf, &frame);
    assert_int_equal(parse(buf.data, buf.length, &read, &used), LINK_PARSE_FRAME);
    buf_free(&buf);
}

/* One octet of a vector changed. */
static void assert_change_is_bad(size_t sample, size_t at, uint8_t value)
{
    static struct frame frame;
    uint8_t changed[256];
    size_t used;

    assert_true(samples[sample].length <= sizeof(changed));
    memcpy(changed, samples[sample].vector, samples[sample].length);
    changed[at] = value;
    assert_int_equal(parse(changed, samples[sample].length, &frame, &used), LINK_PARSE_BAD);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    enum { BODY = 37, OPEN, CHUNK_SIZE = BODY + 7, CHUNK_COUNT = BODY + 11 };

    (void)state;
    assert_change_is_bad(0, BODY, 2);        /* neither generated nor not */
    assert_change_is_bad(0, OPEN + 3, 0);    /* a chunk of no octets */
    assert_change_is_bad(0, OPEN + 1, 1);    /* one of 65568 */
    assert_change_is_bad(0, OPEN + 28, 1);   /* a media type longer than its place */
    assert_change_is_bad(0, OPEN + 32, 0);   /* a NUL in it */
    assert_change_is_bad(0, OPEN + 36, 0);   /* an initiator without a name */
    assert_change_is_bad(2, CHUNK_SIZE, 0);  /* a chunk of no octets */
    assert_change_is_bad(2, CHUNK_SIZE, 65); /* one that needs three blocks */
    assert_change_is_bad(2, CHUNK_COUNT, 3); /* a block too many */
    assert_change_is_bad(4, BODY, STREAM_END_REASONS);
}

/* Nothing beyond the input is read (the sanitizers see to it), and what is accepted is in range. */
static void check_mutant(const uint8_t *data, size_t length)
{
    static struct frame frame;
    uint8_t *copy = malloc(length);
    size_t used = 0;

    assert_non_null(copy);
    memcpy(copy, data, length);
    if (parse(copy, length, &frame, &used) == LINK_PARSE_FRAME) {
        assert_true(used <= length);
        if (frame.type == FRAME_STREAM_CHUNK)
            assert_true(frame.u.stream.u.chunk.cut.block_count <= KEY_MAX_BLOCKS);
        if (frame.type == FRAME_STREAM_OPEN)
            assert_true(frame.u.stream.u.open.qos.key_chunk_size_bytes <= ETSI004_CHUNK_MAX_BYTES);
    }
    free(copy);
}

static void test_mutations_of_every_octet_are_survived(void **state)
{
    uint8_t changed[256];
    uint32_t random = 3;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        memcpy(changed, samples[i].vector, samples[i].length);
        for (size_t at = 0; at < samples[i].length; at++) {
            for (int value = 0; value < 256; value++) {
                changed[at] = (uint8_t)value;
                check_mutant(changed, samples[i].length);
            }
            changed[at] = samples[i].vector[at];
        }
        for (int round = 0; round < 50000; round++) {
            for (int octet = 0; octet < 3; octet++) {
                random = random * 1664525 + 1013904223;
                changed[(random >> 8) % samples[i].length] = (uint8_t)(random >> 24);
            }
            check_mutant(changed, samples[i].length);
            if (round % 8 == 0)
                memcpy(changed, samples[i].vector, samples[i].length);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_frame_is_its_vector_and_back),
        cmocka_unit_test(test_the_largest_frames_fit),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_mutations_of_every_octet_are_survived),
    };

    return RUN_TESTS(tests);
}
