/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/in_child.h"

#include <stdatomic.h>

#include "keys/refused_ids.h"

static const int64_t HELD_NS = REFUSED_IDS_S * INT64_C(1000000000);

static struct key_id id_of(uint64_t high, uint64_t low)
{
    struct key_id id;

    memcpy(id.octets, &high, 8);
    memcpy(id.octets + 8, &low, 8);
    return id;
}

static bool has(struct refused_ids *refused, uint64_t high, uint64_t low, int64_t now_ns)
{
    struct key_id id = id_of(high, low);

    return refused_ids_has(refused, &id, now_ns);
}

static void note(struct refused_ids *refused, uint64_t high, uint64_t low, int64_t now_ns)
{
    struct key_id id = id_of(high, low);

    refused_ids_note(refused, &id, now_ns);
}

static void what_was_noted_is_refused_for_its_time(void **state)
{
    static const int64_t times_ns[] = {0, 1, 77 * INT64_C(1000000000), INT64_MAX / 2};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(times_ns); i++) {
        struct refused_ids *refused = refused_ids_new();

        assert_false(has(refused, 1, 2, times_ns[i]));
        note(refused, 1, 2, times_ns[i]);
        assert_true(has(refused, 1, 2, times_ns[i]));
        assert_true(has(refused, 1, 2, times_ns[i] + HELD_NS - 1));
        assert_false(has(refused, 1, 2, times_ns[i] + HELD_NS));
        note(refused, 1, 2, times_ns[i] + HELD_NS);
        assert_true(has(refused, 1, 2, times_ns[i] + HELD_NS));
        refused_ids_free(refused);
    }
}

static void an_empty_table_knows_no_id_of_zeros(void **state)
{
    struct refused_ids *refused = refused_ids_new();

    (void)state;
    assert_false(has(refused, 0, 0, 0));
    note(refused, 0, 0, 0);
    assert_true(has(refused, 0, 0, 0));
    refused_ids_free(refused);
}

static void each_bit_of_an_id_counts(void **state)
{
    struct refused_ids *refused = refused_ids_new();

    (void)state;
    note(refused, 5, 6, 0);
    for (int bit = 0; bit < 64; bit++) {
        assert_false(has(refused, 5 ^ (UINT64_C(1) << bit), 6, 0));
        assert_false(has(refused, 5, 6 ^ (UINT64_C(1) << bit), 0));
    }
    assert_true(has(refused, 5, 6, 0));
    refused_ids_free(refused);
}

/* Whether both have one place: the newer is remembered, the older is not. */
static bool share_a_place(struct refused_ids *refused, uint64_t high, uint64_t low,
                          uint64_t other_high, uint64_t other_low)
{
    note(refused, high, low, 0);
    note(refused, other_high, other_low, 0);
    assert_true(has(refused, other_high, other_low, 0));
    return !has(refused, high, low, 0);
}

/* Halves of two IDs that have one place however they are put together. */
struct halves {
    uint64_t high[2], low[2];
};

static struct halves find_halves(struct refused_ids *refused)
{
    struct halves found = {{1, 2}, {1, 2}};

    while (!share_a_place(refused, found.high[0], found.low[0], found.high[1], found.low[0]))
        found.high[1]++;
    while (!share_a_place(refused, found.high[0], found.low[0], found.high[0], found.low[1]) ||
           !share_a_place(refused, found.high[0], found.low[0], found.high[1], found.low[1]))
        found.low[1]++;
    return found;
}

/* IDs that differ in one place of one half only find many places. */
static void the_places_are_made_use_of(void **state)
{
    (void)state;
    for (int shift = 0; shift <= 48; shift += 8) {
        struct refused_ids *refused = refused_ids_new();
        int kept = 0;

        for (uint64_t i = 0; i < REFUSED_IDS_PLACES / 2; i++) {
            note(refused, i << shift, 9, 0);
            note(refused, 9, i << shift, 0);
        }
        for (uint64_t i = 0; i < REFUSED_IDS_PLACES / 2; i++)
            kept += has(refused, i << shift, 9, 0) + has(refused, 9, i << shift, 0);
        assert_true(kept > REFUSED_IDS_PLACES / 4);
        refused_ids_free(refused);
    }
}

enum { ROUNDS = 100000 };

struct crowd {
    struct refused_ids *refused;
    struct halves halves;
    atomic_int made_up, found;
};

static void *note_and_look(void *argument)
{
    struct crowd *crowd = argument;
    const uint64_t *high = crowd->halves.high, *low = crowd->halves.low;

    for (int i = 0; i < ROUNDS; i++) {
        note(crowd->refused, high[i % 2], low[i % 2], 0);
        if (has(crowd->refused, high[0], low[1], 0) || has(crowd->refused, high[1], low[0], 0))
            atomic_fetch_add(&crowd->made_up, 1);
        if (has(crowd->refused, high[i % 2], low[i % 2], 0))
            atomic_fetch_add(&crowd->found, 1);
    }
    return NULL;
}

static void of_many_threads_none_makes_up_an_id(void **state)
{
    struct refused_ids *refused = refused_ids_new();
    struct crowd crowd = {.refused = refused, .halves = find_halves(refused)};

    (void)state;
    in_threads(note_and_look, &crowd);
    assert_int_equal(crowd.made_up, 0);
    assert_true(crowd.found > 0);
    refused_ids_free(refused);
}

static int child_of_a_table(void *argument)
{
    struct refused_ids *refused = argument;

    if (has(refused, 1, 2, 0))
        return 1;
    note(refused, 3, 4, 0);
    return has(refused, 3, 4, 0) && !has(refused, 1, 2, 0) ? 0 : 2;
}

static void a_forked_child_remembers_nothing(void **state)
{
    struct refused_ids *refused = refused_ids_new();

    (void)state;
    note(refused, 1, 2, 0);
    assert_int_equal(in_child(child_of_a_table, refused), 0);
    assert_true(has(refused, 1, 2, 0));
    assert_false(has(refused, 3, 4, 0));
    refused_ids_free(refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_noted_is_refused_for_its_time),
        cmocka_unit_test(an_empty_table_knows_no_id_of_zeros),
        cmocka_unit_test(each_bit_of_an_id_counts),
        cmocka_unit_test(the_places_are_made_use_of),
        cmocka_unit_test(of_many_threads_none_makes_up_an_id),
        cmocka_unit_test(a_forked_child_remembers_nothing),
    };

    return RUN_TESTS(tests);
}
