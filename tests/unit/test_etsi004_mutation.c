/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A million frames, random or mutated, through every parser of server and client in both
 * profiles. What has to hold is in tests/fuzz/fuzz_etsi004.h; a sanitizer build adds its own
 * findings. The mutations know the layout: most keep the length in the header right, and most
 * numbers they enter are at an edge.
 *
 *     QKD_MUTATIONS       how many frames, instead of 1000000
 *     QKD_MUTATION_SEED   another sequence of them
 */
#include "tests/unit/unit.h"

#include "tests/fuzz/fuzz_etsi004.h"

enum { FRAMES = 1000000, SEED = 20200801, FRAME_ROOM_BYTES = 12288, STEPS_MAX = 4 };

struct sequence {
    uint64_t random;
};

struct frame_octets {
    uint8_t octets[FRAME_ROOM_BYTES];
    size_t length;
};

static uint64_t next_random(struct sequence *sequence)
{
    uint64_t mixed = sequence->random += UINT64_C(0x9E3779B97F4A7C15);

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

static size_t below(struct sequence *sequence, size_t limit)
{
    return limit == 0 ? 0 : (size_t)(next_random(sequence) % limit);
}

static void put_number(struct frame_octets *frame, size_t at, size_t number)
{
    for (size_t i = 0; i < 4 && at + i < frame->length; i++)
        frame->octets[at + i] = (uint8_t)(number >> (24 - 8 * i));
}

static void change_bit(struct frame_octets *frame, struct sequence *sequence)
{
    if (frame->length > 0)
        frame->octets[below(sequence, frame->length)] ^= (uint8_t)(1U << below(sequence, 8));
}

static void change_octet(struct frame_octets *frame, struct sequence *sequence)
{
    if (frame->length > 0)
        frame->octets[below(sequence, frame->length)] =
            below(sequence, 2) == 0 ? 0 : (uint8_t)next_random(sequence);
}

static void change_number(struct frame_octets *frame, struct sequence *sequence)
{
    static const uint32_t edges[] = {
        0,     1,     2,          8,          9,          16,         24,         32,   255,
        256,   257,   4095,       4096,       4097,       8191,       8192,       8193, 65535,
        65536, 65537, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffffc, 0xffffffff,
    };
    size_t at = below(sequence, frame->length / 4 + 1) * 4;

    put_number(frame, at, edges[below(sequence, COUNT_OF(edges))]);
}

/* A length that is right for what follows it, or just not. */
static void change_number_to_rest(struct frame_octets *frame, struct sequence *sequence)
{
    size_t at = below(sequence, frame->length / 4 + 1) * 4;

    put_number(frame, at, frame->length - at - 4 + below(sequence, 3) - 1);
}

static void cut_end(struct frame_octets *frame, struct sequence *sequence)
{
    frame->length = below(sequence, frame->length + 1);
}

static void cut_middle(struct frame_octets *frame, struct sequence *sequence)
{
    size_t at = below(sequence, frame->length), count = below(sequence, frame->length - at + 1);

    memmove(frame->octets + at, frame->octets + at + count, frame->length - at - count);
    frame->length -= count;
}

/* Makes a gap of some octets; returns where it begins. */
static size_t open_gap(struct frame_octets *frame, struct sequence *sequence, size_t *count)
{
    size_t at = below(sequence, frame->length + 1);

    if (*count > FRAME_ROOM_BYTES - frame->length)
        *count = FRAME_ROOM_BYTES - frame->length;
    memmove(frame->octets + at + *count, frame->octets + at, frame->length - at);
    frame->length += *count;
    return at;
}

static void insert_random(struct frame_octets *frame, struct sequence *sequence)
{
    size_t count = 1 + below(sequence, 20), at = open_gap(frame, sequence, &count);

    for (size_t i = 0; i < count; i++)
        frame->octets[at + i] = (uint8_t)next_random(sequence);
}

static void insert_run(struct frame_octets *frame, struct sequence *sequence)
{
    static const size_t sizes[] = {1, 16, 240, 256, 1024, 1025, 4096, 8192};
    size_t count = sizes[below(sequence, COUNT_OF(sizes))];
    size_t at = open_gap(frame, sequence, &count);

    memset(frame->octets + at, below(sequence, 2) == 0 ? 0 : 'x', count);
}

static void insert_of_another(struct frame_octets *frame, struct sequence *sequence)
{
    const struct fuzz_seed *seed = &fuzz_seeds[below(sequence, fuzz_seed_count)];
    size_t from = below(sequence, seed->length), count = below(sequence, seed->length - from + 1);
    size_t at = open_gap(frame, sequence, &count);

    memcpy(frame->octets + at, seed->octets + from, count);
}

static void (*const mutations[])(struct frame_octets *, struct sequence *) = {
    change_bit, change_octet,  change_number, change_number_to_rest, cut_end,
    cut_middle, insert_random, insert_run,    insert_of_another,
};

static void make_mutated(struct frame_octets *frame, struct sequence *sequence)
{
    const struct fuzz_seed *seed = &fuzz_seeds[below(sequence, fuzz_seed_count)];
    size_t steps = 1 + below(sequence, STEPS_MAX);

    memcpy(frame->octets, seed->octets, seed->length);
    frame->length = seed->length;
    for (size_t i = 0; i < steps; i++)
        mutations[below(sequence, COUNT_OF(mutations))](frame, sequence);
    if (frame->length >= ETSI004_HEADER_BYTES && below(sequence, 4) > 0)
        put_number(frame, 4, frame->length - ETSI004_HEADER_BYTES);
}

static void make_random(struct frame_octets *frame, struct sequence *sequence)
{
    frame->length = below(sequence, 400);
    for (size_t i = 0; i < frame->length; i++)
        frame->octets[i] = below(sequence, 3) == 0 ? 0 : (uint8_t)next_random(sequence);
    if (frame->length >= ETSI004_HEADER_BYTES && below(sequence, 2) == 0)
        put_number(frame, 4, frame->length - ETSI004_HEADER_BYTES);
}

/* In memory of exactly its size, so that a sanitizer sees each octet read beyond it. */
static unsigned run(const struct frame_octets *frame)
{
    uint8_t *copy = malloc(frame->length > 0 ? frame->length : 1);
    unsigned took;

    assert_non_null(copy);
    memcpy(copy, frame->octets, frame->length);
    took = check_frame(copy, frame->length);
    free(copy);
    return took;
}

static unsigned long long number_from(const char *variable, unsigned long long otherwise)
{
    const char *text = getenv(variable);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void every_frame_is_refused_or_read_as_what_it_is(void **state)
{
    unsigned long long frames = number_from("QKD_MUTATIONS", FRAMES), taken = 0;
    unsigned long long seed = number_from("QKD_MUTATION_SEED", SEED);
    struct sequence sequence = {seed};
    static struct frame_octets frame;
    unsigned took_any = 0;

    (void)state;
    printf("%llu frames from seed %llu\n", frames, seed);
    fflush(stdout);
    for (unsigned long long i = 0; i < frames; i++) {
        unsigned took;

        if (i % 8 == 0)
            make_random(&frame, &sequence);
        else
            make_mutated(&frame, &sequence);
        took = run(&frame);
        took_any |= took;
        taken += took != 0;
    }
    printf("%llu of them were taken by a parser\n", taken);
    /* Else they would never get behind the first check of a parser. */
    assert_true(frames < 10000 || (took_any == TOOK_ALL && taken > frames / 20));
}

static void every_seed_is_taken(void **state)
{
    static struct frame_octets frame;

    (void)state;
    for (size_t i = 0; i < fuzz_seed_count; i++) {
        struct buf input;
        struct etsi004_frame whole;

        frame.length = fuzz_seeds[i].length;
        memcpy(frame.octets, fuzz_seeds[i].octets, frame.length);
        input = (struct buf){.data = frame.octets,
                             .length = frame.length,
                             .capacity = frame.length,
                             .max_bytes = frame.length};
        assert_int_equal(etsi004_frame_take(&input, &whole), ETSI004_COMPLETE);
        assert_int_equal(whole.payload_bytes + ETSI004_HEADER_BYTES, frame.length);
        assert_int_not_equal(run(&frame), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_seed_is_taken),
        cmocka_unit_test(every_frame_is_refused_or_read_as_what_it_is),
    };

    return RUN_TESTS(tests);
}
