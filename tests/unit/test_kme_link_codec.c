/* SPDX-License-Identifier: Apache-2.0 */
/* kme/link_codec.h: vectors written by hand, and mutations of every octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kme/link_codec.h"

enum { ROOM = 2 * LINK_FRAME_MAX_BYTES };

static const uint8_t hello_vector[] = {
    0,    0,    0,    76,   0x01, 'Q',  'K',  'D',  'L',  0x02, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
    0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25,
    0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f, 0,    0,    0,    0,    0,    0,
    1,    2,    0,    0,    0,    0,    0,    0,    0,    7,    0,    0,    0,    0,    0,    0,
    0x80, 0,    0,    0,    0,    0,    0,    0,    0x10, 0,    5,    'k',  'm',  'e',  '-',  'a'};

static const uint8_t ack_vector[] = {0, 0, 0, 17, 0x02, 0, 0, 0, 0, 0, 0,
                                     0, 9, 0, 0,  0,    0, 0, 0, 0, 1};

static const uint8_t assign_vector[] = {
    0,    0,    0,    80,   0x03, 0,    0,    0,    0,    0,    0,    0,    3,    0xa0,
    0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae,
    0xaf, 0,    0,    1,    0x40, 0,    0,    0x0e, 0x10, 5,    'a',  'l',  'i',  'c',
    'e',  1,    3,    'b',  'o',  'b',  0,    0,    0,    2,    0xa0, 0xa1, 0xa2, 0xa3,
    0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xb0, 0xb1,
    0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf};

static void fill(uint8_t *to, size_t length, uint8_t first)
{
    for (size_t i = 0; i < length; i++)
        to[i] = (uint8_t)(first + i);
}

/* As many as there can be, each as long as it can be. */
static void fill_names(struct names *names)
{
    char name[ETSI014_ID_MAX_CHARS + 1];

    memset(name, 'r', ETSI014_ID_MAX_CHARS);
    name[ETSI014_ID_MAX_CHARS] = '\0';
    for (int i = 0; i < NAMES_MAX; i++) {
        name[0] = (char)('a' + i);
        assert_true(names_add(names, name));
    }
}

static void put_sample_hello(struct buf *buf)
{
    struct frame_hello hello;

    memset(&hello, 0, sizeof(hello));
    fill(hello.epoch, LINK_EPOCH_BYTES, 0x10);
    fill(hello.peer_epoch, LINK_EPOCH_BYTES, 0x20);
    hello.blocks_through = 258;
    hello.assigns_through = 7;
    hello.capacity_blocks = 32768;
    hello.window_blocks = 4096;
    strcpy(hello.kme_id, "kme-a");
    link_put_hello(buf, &hello);
}

static void put_sample_assign(struct buf *buf)
{
    struct frame_assign assign;

    memset(&assign, 0, sizeof(assign));
    assign.sequence = 3;
    fill(assign.assignment.key_id.octets, KEY_ID_BYTES, 0xa0);
    assign.assignment.size_bits = 320;
    assign.assignment.lifetime_s = 3600;
    strcpy(assign.assignment.initiator, "alice");
    assert_true(names_add(&assign.assignment.responders, "bob"));
    assign.assignment.block_count = 2;
    fill(assign.assignment.blocks[0].octets, KEY_ID_BYTES, 0xa0);
    fill(assign.assignment.blocks[1].octets, KEY_ID_BYTES, 0xb0);
    link_put_assign(buf, &assign);
}

static void put_sample_blocks(struct buf *buf, enum block_owner owner, size_t count)
{
    struct frame_blocks blocks;

    memset(&blocks, 0, sizeof(blocks));
    blocks.first_sequence = 41;
    fill(blocks.head.id.octets, KEY_ID_BYTES, 0xd0);
    blocks.head.owner = owner;
    blocks.head.rests = owner == BLOCK_OURS;
    blocks.count = count;
    for (size_t i = 0; i < count; i++) {
        fill(blocks.blocks[i].id.octets, KEY_ID_BYTES, (uint8_t)i);
        fill(blocks.blocks[i].octets, BLOCK_BYTES, (uint8_t)(2 * i));
    }
    link_put_blocks(buf, &blocks);
}

static enum link_parse parse(const void *data, size_t length, struct frame *frame, size_t *used)
{
    struct status status = STATUS_INIT;
    enum link_parse result = link_parse(data, length, frame, used, &status);

    assert_int_equal(result == LINK_PARSE_BAD, status.outcome == OUTCOME_PEER);
    return result;
}

static void assert_bad(const void *data, size_t length)
{
    struct frame frame;
    size_t used;

    assert_int_equal(parse(data, length, &frame, &used), LINK_PARSE_BAD);
}

static void test_hello_is_the_vector_and_back(void **state)
{
    struct buf buf;
    struct frame frame;
    size_t used;

    (void)state;
    buf_init(&buf, ROOM);
    put_sample_hello(&buf);
    assert_int_equal(buf.length, sizeof(hello_vector));
    assert_memory_equal(buf.data, hello_vector, sizeof(hello_vector));
    assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
    assert_int_equal(used, sizeof(hello_vector));
    assert_int_equal(frame.type, FRAME_HELLO);
    assert_int_equal(frame.u.hello.blocks_through, 258);
    assert_int_equal(frame.u.hello.assigns_through, 7);
    assert_int_equal(frame.u.hello.capacity_blocks, 32768);
    assert_string_equal(frame.u.hello.kme_id, "kme-a");
    assert_int_equal(frame.u.hello.peer_epoch[15], 0x2f);
    buf_free(&buf);
}

static void test_ack_is_the_vector_and_back(void **state)
{
    const struct frame_ack ack = {9, 1};
    struct buf buf;
    struct frame frame;
    size_t used;

    (void)state;
    buf_init(&buf, ROOM);
    link_put_ack(&buf, &ack);
    assert_int_equal(buf.length, sizeof(ack_vector));
    assert_memory_equal(buf.data, ack_vector, sizeof(ack_vector));
    assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
    assert_int_equal(frame.u.ack.blocks_through, 9);
    assert_int_equal(frame.u.ack.assigns_through, 1);
    buf_free(&buf);
}

static void test_assign_is_the_vector_and_back(void **state)
{
    struct buf buf;
    struct frame frame;
    size_t used;

    (void)state;
    buf_init(&buf, ROOM);
    put_sample_assign(&buf);
    assert_int_equal(buf.length, sizeof(assign_vector));
    assert_memory_equal(buf.data, assign_vector, sizeof(assign_vector));
    assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
    assert_int_equal(frame.u.assign.sequence, 3);
    assert_int_equal(frame.u.assign.assignment.size_bits, 320);
    assert_int_equal(frame.u.assign.assignment.lifetime_s, 3600);
    assert_string_equal(frame.u.assign.assignment.initiator, "alice");
    assert_int_equal(frame.u.assign.assignment.responders.count, 1);
    assert_string_equal(frame.u.assign.assignment.responders.text, "bob");
    assert_int_equal(frame.u.assign.assignment.block_count, 2);
    assert_int_equal(frame.u.assign.assignment.blocks[1].octets[15], 0xbf);
    buf_free(&buf);
}

static void test_a_segment_changes_its_owner_on_the_way(void **state)
{
    (void)state;
    for (int owner = 0; owner < BLOCK_OWNERS; owner++) {
        struct buf buf;
        struct frame frame;
        size_t used;

        buf_init(&buf, ROOM);
        put_sample_blocks(&buf, (enum block_owner)owner, SEGMENT_BLOCKS_MAX);
        assert_int_equal(buf.data[4], FRAME_SIMULATED_QUANTUM);
        assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
        assert_int_equal(used, buf.length);
        assert_int_equal(frame.u.blocks.first_sequence, 41);
        assert_int_equal(frame.u.blocks.count, SEGMENT_BLOCKS_MAX);
        assert_int_equal(frame.u.blocks.head.id.octets[15], 0xdf);
        assert_int_equal(frame.u.blocks.head.owner, owner == BLOCK_OURS ? BLOCK_PEERS : BLOCK_OURS);
        assert_int_equal(frame.u.blocks.head.rests, owner == BLOCK_OURS);
        assert_int_equal(frame.u.blocks.blocks[3].octets[BLOCK_BYTES - 1], 6 + BLOCK_BYTES - 1);
        buf_free(&buf);
    }
}

/* type, then sequence 6 or flags, then one ID a0..af */
static const uint8_t open_vector[] = {0,    0,    0,    29,   0x09, 0,    0,    0,    0,
                                      0,    0,    0,    6,    0,    0,    0,    1,    0xa0,
                                      0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9,
                                      0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
static const uint8_t inventory_vector[] = {0,    0,    0,    22,   0x0b, 3,    0,    0,    0,
                                           1,    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
                                           0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
static const uint8_t reconciled_vector[] = {0, 0, 0, 1, 0x0c};

static void test_lists_of_ids_are_the_vectors_and_back(void **state)
{
    static struct frame_ids ids = {6, true, true, 1, {{{0}}}};
    struct buf buf;
    struct frame frame;
    size_t used;

    (void)state;
    fill(ids.ids[0].octets, KEY_ID_BYTES, 0xa0);
    buf_init(&buf, ROOM);
    link_put_segments(&buf, FRAME_SEGMENTS_OPEN, &ids);
    assert_int_equal(buf.length, sizeof(open_vector));
    assert_memory_equal(buf.data, open_vector, sizeof(open_vector));
    assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
    assert_int_equal(frame.type, FRAME_SEGMENTS_OPEN);
    assert_int_equal(frame.u.ids.sequence, 6);
    assert_int_equal(frame.u.ids.count, 1);
    assert_true(key_id_equal(&frame.u.ids.ids[0], &ids.ids[0]));
    buf_reset(&buf);
    link_put_inventory(&buf, &ids);
    assert_int_equal(buf.length, sizeof(inventory_vector));
    assert_memory_equal(buf.data, inventory_vector, sizeof(inventory_vector));
    assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
    assert_true(frame.u.ids.last && frame.u.ids.assigned);
    assert_int_equal(frame.u.ids.count, 1);
    buf_reset(&buf);
    link_put_reconciled(&buf);
    assert_int_equal(buf.length, sizeof(reconciled_vector));
    assert_memory_equal(buf.data, reconciled_vector, sizeof(reconciled_vector));
    assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
    buf_free(&buf);
}

static void test_the_longest_list_of_ids_fits_a_frame_and_a_longer_one_is_refused(void **state)
{
    static struct frame_ids ids = {.sequence = 1, .count = LINK_IDS_MAX};
    struct buf buf;
    struct frame frame;
    size_t used;

    (void)state;
    buf_init(&buf, ROOM);
    link_put_segments(&buf, FRAME_SEGMENTS_OPENED, &ids);
    assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
    buf.data[16]++; /* one ID more than there are, and than there may be */
    assert_bad(buf.data, buf.length);
    buf_reset(&buf);
    ids.count = 0;
    link_put_inventory(&buf, &ids); /* of an end that has nothing */
    assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
    buf.data[5] = 4; /* a flag that nobody knows */
    assert_bad(buf.data, buf.length);
    buf_reset(&buf);
    link_put_segments(&buf, FRAME_SEGMENTS_OPEN, &ids);
    assert_bad(buf.data, buf.length);
    buf_free(&buf);
}

static void test_a_frame_is_given_another_number(void **state)
{
    uint8_t changed[sizeof(assign_vector)];
    struct frame frame;
    size_t used;

    (void)state;
    memcpy(changed, assign_vector, sizeof(changed));
    link_renumber(changed, UINT64_C(0x0102030405060708));
    assert_int_equal(parse(changed, sizeof(changed), &frame, &used), LINK_PARSE_FRAME);
    assert_int_equal(frame.u.assign.sequence, UINT64_C(0x0102030405060708));
    link_renumber(changed, 3);
    assert_memory_equal(changed, assign_vector, sizeof(changed));
}

static void test_a_largest_assignment_fits_a_frame(void **state)
{
    static struct frame_assign assign;
    struct buf buf;
    struct frame frame;
    size_t used;

    (void)state;
    assign.sequence = UINT64_MAX;
    assign.assignment.size_bits = SECRET_MAX_BYTES * 8;
    assign.assignment.block_count = KEY_MAX_BLOCKS;
    memset(assign.assignment.initiator, 'i', ETSI014_ID_MAX_CHARS);
    fill_names(&assign.assignment.responders);
    buf_init(&buf, ROOM);
    link_put_assign(&buf, &assign);
    assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
    assert_memory_equal(&frame.u.assign.assignment.responders, &assign.assignment.responders,
                        sizeof(struct names));
    buf_free(&buf);
}

static void test_every_prefix_waits_for_more(void **state)
{
    struct buf buf;
    struct frame frame;
    size_t used;

    (void)state;
    buf_init(&buf, ROOM);
    put_sample_assign(&buf);
    for (size_t length = 0; length < buf.length; length++)
        assert_int_equal(parse(buf.data, length, &frame, &used), LINK_PARSE_MORE);
    buf_free(&buf);
}

static void test_frames_behind_each_other_are_taken_one_by_one(void **state)
{
    struct buf buf;
    struct frame frame;
    size_t used;

    (void)state;
    buf_init(&buf, ROOM);
    put_sample_hello(&buf);
    put_sample_assign(&buf);
    assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
    assert_int_equal(frame.type, FRAME_HELLO);
    buf_consume(&buf, used);
    assert_int_equal(parse(buf.data, buf.length, &frame, &used), LINK_PARSE_FRAME);
    assert_int_equal(frame.type, FRAME_ASSIGN);
    assert_int_equal(used, buf.length);
    buf_free(&buf);
}

static void test_what_is_no_frame_is_refused(void **state)
{
    static const uint8_t empty[] = {0, 0, 0, 0}, too_long[] = {0, 0, 0x50, 0x01},
                         huge[] = {0xff, 0xff, 0xff, 0xff}, unknown[] = {0, 0, 0, 1, 0x7f};
    uint8_t changed[sizeof(assign_vector) + 1];

    (void)state;
    assert_bad(empty, sizeof(empty));
    assert_bad(too_long, sizeof(too_long));
    assert_bad(huge, sizeof(huge));
    assert_bad(unknown, sizeof(unknown));
    memcpy(changed, assign_vector, sizeof(assign_vector));
    changed[sizeof(assign_vector)] = 0;
    changed[3]++; /* an octet too many */
    assert_bad(changed, sizeof(changed));
    changed[3] -= 2; /* one too few */
    assert_bad(changed, sizeof(changed));
    memcpy(changed, assign_vector, sizeof(assign_vector));
    changed[32] = 0x41; /* 321 bits */
    assert_bad(changed, sizeof(assign_vector));
    memcpy(changed, assign_vector, sizeof(assign_vector));
    changed[38] = 0; /* a NUL in a name */
    assert_bad(changed, sizeof(assign_vector));
}

static void test_another_version_and_magic_are_refused(void **state)
{
    uint8_t changed[sizeof(hello_vector)];

    (void)state;
    memcpy(changed, hello_vector, sizeof(changed));
    changed[9] = 1;
    assert_bad(changed, sizeof(changed));
    memcpy(changed, hello_vector, sizeof(changed));
    changed[5] = 'q';
    assert_bad(changed, sizeof(changed));
}

/* Nothing beyond the input is read (the sanitizers see to it), and what is accepted is in range. */
static void check_mutant(const uint8_t *data, size_t length)
{
    uint8_t *copy = malloc(length);
    struct frame frame;
    size_t used = 0;

    assert_non_null(copy);
    memcpy(copy, data, length);
    if (parse(copy, length, &frame, &used) == LINK_PARSE_FRAME) {
        assert_true(used <= length);
        if (frame.type == FRAME_ASSIGN)
            assert_true(frame.u.assign.assignment.block_count <= KEY_MAX_BLOCKS &&
                        frame.u.assign.assignment.size_bits <= SECRET_MAX_BYTES * 8);
        if (frame.type == FRAME_SIMULATED_QUANTUM)
            assert_true(frame.u.blocks.count <= SEGMENT_BLOCKS_MAX);
        if (frame.type == FRAME_INVENTORY || frame.type == FRAME_SEGMENTS_OPEN)
            assert_true(frame.u.ids.count <= LINK_IDS_MAX);
    }
    free(copy);
}

static void test_mutations_of_every_octet_are_survived(void **state)
{
    enum { SAMPLES = 5 };
    struct buf samples[SAMPLES];

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++)
        buf_init(&samples[i], ROOM);
    put_sample_hello(&samples[0]);
    put_sample_assign(&samples[1]);
    put_sample_blocks(&samples[2], BLOCK_OURS, 3);
    buf_put(&samples[3], open_vector, sizeof(open_vector));
    buf_put(&samples[4], inventory_vector, sizeof(inventory_vector));
    for (size_t i = 0; i < SAMPLES; i++) {
        for (size_t at = 0; at < samples[i].length; at++) {
            uint8_t kept = samples[i].data[at];

            for (int value = 0; value < 256; value++) {
                samples[i].data[at] = (uint8_t)value;
                check_mutant(samples[i].data, samples[i].length);
            }
            samples[i].data[at] = kept;
        }
        buf_free(&samples[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello_is_the_vector_and_back),
        cmocka_unit_test(test_ack_is_the_vector_and_back),
        cmocka_unit_test(test_assign_is_the_vector_and_back),
        cmocka_unit_test(test_a_segment_changes_its_owner_on_the_way),
        cmocka_unit_test(test_lists_of_ids_are_the_vectors_and_back),
        cmocka_unit_test(test_the_longest_list_of_ids_fits_a_frame_and_a_longer_one_is_refused),
        cmocka_unit_test(test_a_frame_is_given_another_number),
        cmocka_unit_test(test_a_largest_assignment_fits_a_frame),
        cmocka_unit_test(test_every_prefix_waits_for_more),
        cmocka_unit_test(test_frames_behind_each_other_are_taken_one_by_one),
        cmocka_unit_test(test_what_is_no_frame_is_refused),
        cmocka_unit_test(test_another_version_and_magic_are_refused),
        cmocka_unit_test(test_mutations_of_every_octet_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
