/* SPDX-License-Identifier: Apache-2.0 */
/* Key streams of two key servers, in random orders of events. */
#include "tests/unit/stream_ends.h"

static uint32_t random_state;

static uint32_t any(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

enum { RANDOM_STREAMS = 12, RANDOM_POSITIONS = 24 };

struct record {
    uint8_t octets[64];
    size_t size_bytes; /* 0: not delivered at this end */
};

/* What was delivered at each end is the same for a position, and no four octets are in two. */
static void check_records(struct record records[2][RANDOM_STREAMS][RANDOM_POSITIONS], size_t *both)
{
    static uint8_t seen[1 << 22];

    memset(seen, 0, sizeof(seen));
    for (int stream = 0; stream < RANDOM_STREAMS; stream++) {
        for (int index = 0; index < RANDOM_POSITIONS; index++) {
            struct record *one = &records[0][stream][index], *other = &records[1][stream][index];

            if (one->size_bytes > 0 && other->size_bytes > 0) {
                assert_int_equal(one->size_bytes, other->size_bytes);
                assert_memory_equal(one->octets, other->octets, one->size_bytes);
                ++*both;
            }
            one = one->size_bytes > 0 ? one : other;
            for (size_t at = 0; at + 4 <= one->size_bytes; at += 4) {
                uint32_t word;

                memcpy(&word, one->octets + at, sizeof(word));
                assert_true(word < sizeof(seen) && !seen[word]);
                seen[word] = 1;
            }
        }
    }
}

static void read_any(struct end *end, struct record records[RANDOM_STREAMS][RANDOM_POSITIONS],
                     const struct key_id *ids)
{
    uint32_t stream = any(RANDOM_STREAMS), index = any(RANDOM_POSITIONS);
    struct secret *key = get_key(end, &ids[stream], index);

    if (key == NULL)
        return;
    assert_int_equal(records[stream][index].size_bytes, 0); /* never twice */
    assert_true(key->size_bytes <= sizeof(records[stream][index].octets));
    memcpy(records[stream][index].octets, key->bytes, key->size_bytes);
    records[stream][index].size_bytes = key->size_bytes;
    secret_free(key);
}

static void step(struct end ends[2], struct record records[2][RANDOM_STREAMS][RANDOM_POSITIONS],
                 const struct key_id *ids)
{
    uint32_t side = any(2), stream = any(RANDOM_STREAMS), what = any(100);
    struct end *end = &ends[side], *other = &ends[1 - side];

    if (what < 40)
        read_any(end, records[side], ids);
    else if (what < 80)
        carry(end, other, (int)any(4));
    else if (what < 85)
        stock(&ends[0], &ends[1], any(8));
    else if (what < 99)
        open_with_id(end, &ids[stream], stream % 2 == 0 ? 32 : 64);
    else if (any(4) == 0)
        close_here(end, &ids[stream]);
}

/* One window is narrower than the positions, so that some fall out of it, too. */
static void test_no_order_of_events_makes_two_positions_share_octets(void **state)
{
    static struct record records[2][RANDOM_STREAMS][RANDOM_POSITIONS];
    size_t both = 0;

    (void)state;
    for (uint32_t seed = 1; seed <= 300; seed++) {
        struct end ends[2];
        struct key_id ids[RANDOM_STREAMS];

        random_state = seed;
        memset(records, 0, sizeof(records));
        start_both(&ends[0], &ends[1]);
        for (uint32_t i = 0; i < RANDOM_STREAMS; i++)
            ids[i] = id_of(i);
        for (int i = 0; i < 3000; i++)
            step(ends, records, ids);
        exchange(&ends[0], &ends[1]);
        check_records(records, &both);
        for (int i = 0; i < 2; i++)
            for (uint32_t stream = 0; stream < RANDOM_STREAMS; stream++)
                close_here(&ends[i], &ids[stream]);
        exchange(&ends[0], &ends[1]);
        for (int i = 0; i < 2; i++) {
            assert_nothing_left(&ends[i]);
            stop(&ends[i]);
        }
    }
    assert_true(both > 10000); /* else nothing was compared */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_order_of_events_makes_two_positions_share_octets),
    };

    return RUN_TESTS(tests);
}
