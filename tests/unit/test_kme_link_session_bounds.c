/* SPDX-License-Identifier: Apache-2.0 */
/* kme/link_session.h: order, limits, and a peer that does not keep to them. */
#include "tests/unit/link_ends.h"

static void send_stream(struct end *end, uint32_t index)
{
    static struct frame frame;

    frame.type = FRAME_STREAM_WANT;
    frame.u.stream.u.want.index = index;
    assert_true(link_session_send_stream(end->session, &frame, 0, &end->out));
}

static void test_what_is_told_about_streams_arrives_once_and_in_order_over_any_link(void **state)
{
    struct end a, b;

    (void)state;
    init_both(&a, &b);
    join(&a, &b);
    share_blocks(&a, &b, 8);
    send_stream(&a, 0);
    reserve(&a);
    send_stream(&a, 1);
    assert_true(carry(&a, &b)); /* but its acknowledgement is lost */
    send_stream(&a, 2);
    cut(&a, &b);
    send_stream(&a, 3); /* while down */
    send_stream(&b, 0);
    assert_int_equal(a.out.length + b.out.length, 0);
    join(&a, &b);
    assert_int_equal(b.streams, 4);
    assert_int_equal(a.streams, 1);
    assert_int_equal(b.assigned, 1);
    assert_int_equal(b.next_want, 4);
    stop(&a);
    stop(&b);
}

static void test_arriving_blocks_are_told(void **state)
{
    struct end a, b;

    (void)state;
    init_both(&a, &b);
    join(&a, &b);
    make_blocks(&a, 4);
    assert_true(carry(&a, &b));
    assert_int_equal(b.stocked, 1);
    assert_int_equal(a.stocked, 0);
    acknowledge(&b, &a);
    assert_int_equal(a.stocked, 1);
    acknowledge(&b, &a);
    assert_int_equal(a.stocked, 1);
    stop(&a);
    stop(&b);
}

static void test_the_smaller_capacity_of_both_ends_holds(void **state)
{
    struct end a, b;

    (void)state;
    init_both(&a, &b);
    b.link.capacity_bits = 16 * BLOCK_BITS;
    join(&a, &b);
    assert_int_equal(link_session_room_blocks(a.session), 16);
    share_blocks(&a, &b, 16);
    assert_int_equal(link_session_room_blocks(a.session), 0);
    make_blocks(&a, 1);
    assert_false(carry(&a, &b));
    stop(&a);
    stop(&b);
}

static void test_assignments_in_waiting_are_bounded(void **state)
{
    struct end a, b;

    (void)state;
    init_both(&a, &b);
    assert_true(link_session_has_room(a.session, LINK_ASSIGNS_MAX));
    assert_false(link_session_has_room(a.session, LINK_ASSIGNS_MAX + 1));
    join(&a, &b);
    share_blocks(&a, &b, 2);
    reserve(&a);
    assert_false(link_session_has_room(a.session, LINK_ASSIGNS_MAX));
    assert_true(carry(&a, &b));
    acknowledge(&b, &a);
    assert_true(link_session_has_room(a.session, LINK_ASSIGNS_MAX));
    stop(&a);
    stop(&b);
}

/* Frames that are answered, by a peer that never says that it has an answer. False: it was told to
 * go. */
static bool ask_without_listening(struct end *end, enum frame_type type, uint64_t times)
{
    static struct frame frame;
    struct status status = STATUS_INIT;

    frame.type = type;
    frame.u.ids.count = 1;
    for (uint64_t i = 1; i <= times; i++) {
        frame.u.ids.sequence = i;
        if (!link_session_take(end->session, &frame, &end->out, &status)) {
            assert_int_equal(status.outcome, OUTCOME_PEER);
            return false;
        }
        buf_reset(&end->out);
    }
    return true;
}

static void test_a_peer_that_asks_and_never_acknowledges_is_refused(void **state)
{
    struct end a, b;

    (void)state;
    init_both(&a, &b);
    join(&a, &b);
    assert_true(ask_without_listening(&b, FRAME_SEGMENTS_OPEN, LINK_ASSIGNS_MAX));
    assert_false(ask_without_listening(&b, FRAME_SEGMENTS_OPEN, 16 * LINK_ASSIGNS_MAX));
    assert_true(link_session_waiting(b.session) <= 2 * LINK_ASSIGNS_MAX);
    stop(&a);
    stop(&b);
}

/* One frame to an end that is up, or greeted only. */
static void assert_refused(struct end *end, const struct frame *frame)
{
    struct status status = STATUS_INIT;

    assert_false(link_session_take(end->session, frame, &end->out, &status));
    assert_int_equal(status.outcome, OUTCOME_PEER);
}

static void test_frames_out_of_turn_are_refused(void **state)
{
    static struct frame ack = {.type = FRAME_ACK}, blocks = {.type = FRAME_SIMULATED_QUANTUM},
                        assign = {.type = FRAME_ASSIGN}, hello = {.type = FRAME_HELLO};
    struct end a, b;

    (void)state;
    init_both(&a, &b);
    assert_refused(&a, &ack); /* before hello */
    strcpy(hello.u.hello.kme_id, "kme-x");
    assert_refused(&a, &hello);
    join(&a, &b);
    strcpy(hello.u.hello.kme_id, "kme-b");
    assert_refused(&a, &hello); /* twice */
    ack.u.ack.blocks_through = 1;
    assert_refused(&a, &ack); /* of what was never sent */
    blocks.u.blocks.first_sequence = 1;
    blocks.u.blocks.count = 1;
    assert_refused(&a, &blocks); /* the source makes blocks, it takes none */
    blocks.u.blocks.first_sequence = 2;
    assert_refused(&b, &blocks);
    assign.u.assign.sequence = 2;
    assert_refused(&b, &assign);
    stop(&a);
    stop(&b);
}

static void test_an_assignment_of_unknown_blocks_is_counted_and_does_not_end_the_link(void **state)
{
    static struct frame assign = {.type = FRAME_ASSIGN};
    struct status status = STATUS_INIT;
    struct end a, b;

    (void)state;
    init_both(&a, &b);
    join(&a, &b);
    assign.u.assign.sequence = 1;
    assign.u.assign.assignment.size_bits = 256;
    assign.u.assign.assignment.block_count = 1;
    assert_true(link_session_take(b.session, &assign, &b.out, &status));
    assert_int_equal(b.peer.counters.lost_bits[LOSS_MISMATCH], 256);
    assert_int_equal(b.assigned, 0);
    assert_true(link_session_owes_ack(b.session));
    stop(&a);
    stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_told_about_streams_arrives_once_and_in_order_over_any_link),
        cmocka_unit_test(test_arriving_blocks_are_told),
        cmocka_unit_test(test_the_smaller_capacity_of_both_ends_holds),
        cmocka_unit_test(test_assignments_in_waiting_are_bounded),
        cmocka_unit_test(test_a_peer_that_asks_and_never_acknowledges_is_refused),
        cmocka_unit_test(test_frames_out_of_turn_are_refused),
        cmocka_unit_test(test_an_assignment_of_unknown_blocks_is_counted_and_does_not_end_the_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
