/* SPDX-License-Identifier: Apache-2.0 */
/* kme/state004.h: ETSI GS QKD 004 clause 6.2, the life of a stream at one of its ends. */
#include "tests/unit/unit.h"

#include "kme/state004.h"

#define L EVENT004_LOCAL_OPENED
#define P EVENT004_PEER_OPENED
#define LC EVENT004_LOCAL_CLOSED
#define PC EVENT004_PEER_CLOSED
#define F EVENT004_FORGOTTEN
#define END EVENT004_COUNT

static enum state004 walk(enum state004 state, const enum event004 *events)
{
    for (; *events != END; events++)
        state = state004_after(state, *events);
    return state;
}

static void assert_walk(enum state004 from, const enum event004 *events, enum state004 to)
{
    assert_string_equal(state004_names[walk(from, events)], state004_names[to]);
}

#define WALK(from, to, ...) assert_walk(from, (const enum event004[]){__VA_ARGS__, END}, to)

static void test_both_orders_of_opening_lead_to_both(void **state)
{
    (void)state;
    WALK(STATE004_LOCAL_ONLY, STATE004_BOTH, P);
    WALK(STATE004_PEER_ONLY, STATE004_BOTH, L);
    WALK(STATE004_LOCAL_ONLY, STATE004_LOCAL_ONLY, L, L);
    WALK(STATE004_BOTH, STATE004_BOTH, L, P, L);
}

static void test_who_closes_second_ends_it(void **state)
{
    (void)state;
    WALK(STATE004_BOTH, STATE004_PEER_LEFT, LC);
    WALK(STATE004_BOTH, STATE004_LOCAL_LEFT, PC);
    WALK(STATE004_BOTH, STATE004_DEAD, LC, PC);
    WALK(STATE004_BOTH, STATE004_DEAD, PC, LC);
    WALK(STATE004_BOTH, STATE004_PEER_LEFT, LC, LC);
    WALK(STATE004_BOTH, STATE004_LOCAL_LEFT, PC, PC, P);
}

static void test_a_stream_of_one_side_ends_with_that_side(void **state)
{
    (void)state;
    WALK(STATE004_LOCAL_ONLY, STATE004_DEAD, LC);
    WALK(STATE004_LOCAL_ONLY, STATE004_DEAD, PC);
    WALK(STATE004_PEER_ONLY, STATE004_DEAD, PC);
    WALK(STATE004_PEER_ONLY, STATE004_PEER_ONLY, LC); /* was never opened here */
}

static void test_a_dead_stream_stays_dead_and_what_is_forgotten_dies(void **state)
{
    (void)state;
    for (int from = 0; from < STATE004_COUNT; from++)
        WALK((enum state004)from, STATE004_DEAD, F);
    for (int event = 0; event < EVENT004_COUNT; event++)
        WALK(STATE004_DEAD, STATE004_DEAD, (enum event004)event);
}

/* Whatever happens: once closed here it is never open here again, and nothing revives it. */
static void test_no_sequence_of_events_opens_what_was_closed(void **state)
{
    (void)state;
    for (unsigned walk_number = 0; walk_number < 5 * 5 * 5 * 5 * 5 * 5; walk_number++) {
        for (int from = 0; from <= STATE004_PEER_ONLY; from++) {
            enum state004 now = (enum state004)from;
            bool was_open = state004_is_open_here(now), closed = false;
            unsigned left = walk_number;

            for (int step = 0; step < 6; step++, left /= EVENT004_COUNT) {
                now = state004_after(now, (enum event004)(left % EVENT004_COUNT));
                closed = closed || (was_open && !state004_is_open_here(now));
                was_open = state004_is_open_here(now);
                assert_false(closed && was_open);
            }
        }
    }
}

static void test_what_the_states_say(void **state)
{
    static const struct {
        enum state004 state;
        bool open_here, peer_has_opened;
    } expected[] = {
        {STATE004_LOCAL_ONLY, true, false}, {STATE004_PEER_ONLY, false, true},
        {STATE004_BOTH, true, true},        {STATE004_PEER_LEFT, false, true},
        {STATE004_LOCAL_LEFT, true, true},  {STATE004_DEAD, false, false},
    };

    (void)state;
    assert_int_equal(COUNT_OF(expected), STATE004_COUNT);
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_int_equal(state004_is_open_here(expected[i].state), expected[i].open_here);
        assert_int_equal(state004_peer_has_opened(expected[i].state), expected[i].peer_has_opened);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_orders_of_opening_lead_to_both),
        cmocka_unit_test(test_who_closes_second_ends_it),
        cmocka_unit_test(test_a_stream_of_one_side_ends_with_that_side),
        cmocka_unit_test(test_a_dead_stream_stays_dead_and_what_is_forgotten_dies),
        cmocka_unit_test(test_no_sequence_of_events_opens_what_was_closed),
        cmocka_unit_test(test_what_the_states_say),
    };

    return RUN_TESTS(tests);
}
