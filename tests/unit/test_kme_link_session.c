/* SPDX-License-Identifier: Apache-2.0 */
/* kme/link_session.h: two ends in one process, their octets carried by hand, with losses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kme/config.h"
#include "kme/link_session.h"
#include "kme/metrics.h"

enum { ROOM = 1048576, CAPACITY_BLOCKS = 64 };

struct end {
    struct kme_config config;
    struct metrics metrics;
    struct env env;
    struct config_link link;
    struct peer peer;
    struct store *store;
    struct link_session *session;
    struct buf out;
    int ups, resumes, assigned, streams, stocked;
    uint32_t next_want;
};

static void on_up(void *arg, bool resumed)
{
    struct end *end = arg;

    end->ups++;
    end->resumes += resumed;
}

static void on_assigned(void *arg, const struct key_id *key_id)
{
    struct end *end = arg;

    (void)key_id;
    end->assigned++;
}

static void on_stream(void *arg, const struct frame *frame)
{
    struct end *end = arg;

    assert_int_equal(frame->type, FRAME_STREAM_WANT);
    assert_int_equal(frame->u.stream.u.want.index, end->next_want++);
    end->streams++;
}

static void on_stocked(void *arg)
{
    struct end *end = arg;

    end->stocked++;
}

static const struct link_session_events events = {on_up, on_assigned, on_stream, on_stocked};

static void start(struct end *end)
{
    struct status status = STATUS_INIT;

    end->store = store_new(NULL, "kme-x");
    assert_non_null(end->store);
    end->peer.store = end->store;
    end->session = link_session_new(&end->env, &end->peer, &events, end, &status);
    assert_non_null(end->session);
}

static void stop(struct end *end)
{
    link_session_free(end->session);
    store_free(end->store);
    buf_free(&end->out);
}

static void init(struct end *end, char *id, char *peer)
{
    memset(end, 0, sizeof(*end));
    end->config.kme_id = id;
    end->config.links.items = &end->link;
    end->config.links.count = 1;
    end->peer.kme_id = end->link.peer_kme_id = peer;
    end->link.capacity_bits = CAPACITY_BLOCKS * BLOCK_BITS;
    end->env.config = &end->config;
    end->env.metrics = &end->metrics;
    buf_init(&end->out, ROOM);
    start(end);
}

static char name_a[] = "kme-a", name_b[] = "kme-b";

static void init_both(struct end *a, struct end *b)
{
    init(a, name_a, name_b);
    init(b, name_b, name_a);
}

static bool carry(struct end *from, struct end *to)
{
    struct status status = STATUS_INIT;
    struct frame frame;
    size_t used;
    bool good = true;

    while (good && from->out.length > 0) {
        assert_int_equal(link_parse(from->out.data, from->out.length, &frame, &used, &status),
                         LINK_PARSE_FRAME);
        buf_consume(&from->out, used);
        good = link_session_take(to->session, &frame, &to->out, &status);
    }
    return good;
}

static void exchange(struct end *a, struct end *b)
{
    while (a->out.length > 0 || b->out.length > 0) {
        assert_true(carry(a, b));
        assert_true(carry(b, a));
    }
}

static void join(struct end *a, struct end *b)
{
    link_session_greet(a->session, &a->out);
    link_session_greet(b->session, &b->out);
    exchange(a, b);
    assert_true(link_session_is_up(a->session) && link_session_is_up(b->session));
}

/* All that was under way is lost. */
static void cut(struct end *a, struct end *b)
{
    link_session_disconnect(a->session);
    link_session_disconnect(b->session);
    buf_reset(&a->out);
    buf_reset(&b->out);
}

static void make_blocks(struct end *source, size_t count)
{
    static uint32_t made;
    struct block blocks[SEGMENT_BLOCKS_MAX];

    memset(blocks, 0, sizeof(blocks));
    for (size_t i = 0; i < count; i++) {
        made++;
        memcpy(blocks[i].id.octets, &made, sizeof(made));
        memset(blocks[i].octets, (int)made, BLOCK_BYTES);
    }
    assert_true(link_session_send_blocks(source->session, blocks, count, &source->out));
}

static void acknowledge(struct end *from, struct end *to)
{
    link_session_put_ack(from->session, &from->out);
    assert_true(carry(from, to));
}

/* `count` blocks that both ends have and know the other to have. */
static void share_blocks(struct end *a, struct end *b, size_t count)
{
    make_blocks(a, count);
    assert_true(carry(a, b));
    acknowledge(b, a);
}

static struct key_id reserve(struct end *end)
{
    struct assignment assignment;
    struct status status = STATUS_INIT;
    struct secret *key = NULL;

    memset(&assignment, 0, sizeof(assignment));
    assignment.size_bits = 256;
    assignment.lifetime_s = 10;
    strcpy(assignment.initiator, "i");
    names_add(&assignment.responders, "r");
    assert_true(store_reserve(end->store, &assignment, 0, &key, &status));
    assert_true(link_session_assign(end->session, &assignment, &end->out));
    secret_free(key);
    return assignment.key_id;
}

/* A key that was cut elsewhere, under a pad from this link's blocks. */
static struct key_id relay(struct end *end)
{
    static struct frame_relay relay;
    struct status status = STATUS_INIT;
    struct secret *pad = NULL;

    memset(&relay, 0, sizeof(relay));
    memset(relay.key.key_id.octets, 0xee, KEY_ID_BYTES);
    relay.key.lifetime_s = 10;
    strcpy(relay.key.initiator, "i");
    names_add(&relay.key.responders, "r");
    relay.pad.size_bytes = 32;
    assert_true(store_cut_ours(end->store, &relay.pad, &pad, &status));
    for (size_t i = 0; i < pad->size_bytes; i++)
        relay.ciphertext[i] = pad->bytes[i] ^ 0x5a;
    secret_free(pad);
    assert_true(link_session_relay(end->session, &relay, &end->out));
    return relay.key.key_id;
}

static bool is_ready(struct end *end, const struct key_id *id)
{
    return store_look(end->store, id, "r", "i", 0) == CLAIM_READY;
}

static void test_the_lower_id_is_the_source(void **state)
{
    struct end a, b;

    (void)state;
    init_both(&a, &b);
    assert_true(link_session_is_source(a.session));
    assert_false(link_session_is_source(b.session));
    stop(&a);
    stop(&b);
}

static void test_a_block_is_usable_at_the_source_only_when_acknowledged(void **state)
{
    struct end a, b;

    (void)state;
    init_both(&a, &b);
    join(&a, &b);
    make_blocks(&a, 4);
    assert_true(carry(&a, &b));
    assert_int_equal(store_usable(b.store, BLOCK_OURS), 2);
    assert_int_equal(store_usable(a.store, BLOCK_OURS), 0);
    assert_true(link_session_owes_ack(b.session));
    acknowledge(&b, &a);
    assert_false(link_session_owes_ack(b.session));
    assert_int_equal(store_usable(a.store, BLOCK_OURS), 2);
    assert_int_equal(store_usable(a.store, BLOCK_PEERS), 2);
    assert_int_equal(a.peer.counters.generated_bits, 4 * BLOCK_BITS);
    assert_int_equal(b.peer.counters.generated_bits, 4 * BLOCK_BITS);
    stop(&a);
    stop(&b);
}

static void test_keys_of_either_end_become_ready_at_the_other(void **state)
{
    struct end a, b;
    struct key_id from_a, from_b;

    (void)state;
    init_both(&a, &b);
    join(&a, &b);
    share_blocks(&a, &b, 8);
    from_a = reserve(&a);
    from_b = reserve(&b);
    exchange(&a, &b);
    assert_true(is_ready(&b, &from_a));
    assert_true(is_ready(&a, &from_b));
    assert_int_equal(a.assigned, 1);
    assert_int_equal(b.assigned, 1);
    stop(&a);
    stop(&b);
}

static void test_whoever_has_less_gets_the_next_blocks(void **state)
{
    struct end a, b;

    (void)state;
    init_both(&a, &b);
    join(&a, &b);
    share_blocks(&a, &b, 8);
    for (int i = 0; i < 4; i++)
        reserve(&b);
    exchange(&a, &b);
    share_blocks(&a, &b, 4);
    assert_int_equal(store_usable(b.store, BLOCK_OURS), 4);
    assert_int_equal(store_usable(a.store, BLOCK_OURS), 4);
    stop(&a);
    stop(&b);
}

static void test_assignments_that_were_lost_are_sent_again_once(void **state)
{
    struct end a, b;
    struct key_id arrived, lost;

    (void)state;
    init_both(&a, &b);
    join(&a, &b);
    share_blocks(&a, &b, 8);
    arrived = reserve(&a);
    assert_true(carry(&a, &b)); /* but its acknowledgement is lost */
    lost = reserve(&a);
    cut(&a, &b);
    assert_false(is_ready(&b, &lost));
    join(&a, &b);
    assert_int_equal(a.resumes, 1);
    assert_true(is_ready(&b, &arrived) && is_ready(&b, &lost));
    assert_int_equal(b.assigned, 2);
    assert_int_equal(b.peer.counters.lost_bits[LOSS_MISMATCH], 0);
    stop(&a);
    stop(&b);
}

static void test_a_relayed_key_is_what_was_under_the_pad(void **state)
{
    struct end a, b;
    struct key_id id;
    struct secret *key;
    uint8_t expected[32];

    (void)state;
    memset(expected, 0x5a, sizeof(expected));
    init_both(&a, &b);
    join(&a, &b);
    share_blocks(&a, &b, 8);
    id = relay(&a);
    cut(&a, &b); /* it is lost, and sent again */
    assert_false(is_ready(&b, &id));
    join(&a, &b);
    assert_int_equal(b.assigned, 1);
    assert_true(is_ready(&b, &id));
    key = store_claim(b.store, &id, "r");
    assert_non_null(key);
    assert_int_equal(key->size_bytes, sizeof(expected));
    assert_memory_equal(key->bytes, expected, sizeof(expected));
    assert_int_equal(store_usable(a.store, BLOCK_OURS), 3);
    assert_int_equal(store_usable(b.store, BLOCK_PEERS), 3);
    secret_free(key);
    stop(&a);
    stop(&b);
}

static void test_a_relayed_key_without_its_pad_is_lost_and_counted(void **state)
{
    struct end a, b;
    struct key_id id;
    size_t confirmed;

    (void)state;
    init_both(&a, &b);
    join(&a, &b);
    share_blocks(&a, &b, 8);
    store_list_begin(b.store); /* nothing is listed */
    store_reconcile(b.store, &confirmed);
    id = relay(&a);
    exchange(&a, &b);
    assert_false(is_ready(&b, &id));
    assert_int_equal(b.peer.counters.lost_bits[LOSS_MISMATCH], 256);
    stop(&a);
    stop(&b);
}

static void test_blocks_that_did_not_arrive_are_dropped_and_the_others_stay(void **state)
{
    struct end a, b;
    struct key_id id;

    (void)state;
    init_both(&a, &b);
    join(&a, &b);
    make_blocks(&a, 4);
    assert_true(carry(&a, &b)); /* arrived, but not acknowledged */
    make_blocks(&a, 6);         /* did not arrive */
    cut(&a, &b);
    join(&a, &b);
    assert_int_equal(a.peer.counters.lost_bits[LOSS_LINK], 6 * BLOCK_BITS);
    assert_int_equal(store_usable(a.store, BLOCK_OURS) + store_usable(a.store, BLOCK_PEERS), 4);
    assert_int_equal(store_usable(b.store, BLOCK_OURS) + store_usable(b.store, BLOCK_PEERS), 4);
    share_blocks(&a, &b, 2);
    id = reserve(&b);
    exchange(&a, &b);
    assert_true(is_ready(&a, &id));
    stop(&a);
    stop(&b);
}

static void test_after_a_restart_both_ends_forget_all_unassigned_blocks(void **state)
{
    struct end a, b;
    struct key_id kept, lost;

    (void)state;
    init_both(&a, &b);
    join(&a, &b);
    share_blocks(&a, &b, 8);
    kept = reserve(&b);
    assert_true(carry(&b, &a));
    lost = reserve(&a);
    cut(&a, &b);
    stop(&b);
    buf_init(&b.out, ROOM);
    start(&b);
    join(&a, &b);
    assert_int_equal(a.resumes, 0);
    assert_true(is_ready(&a, &kept)); /* assigned here before: still claimable */
    assert_false(is_ready(&b, &lost));
    /* 6 blocks were unassigned, and one key never reached its responder. */
    assert_int_equal(a.peer.counters.lost_bits[LOSS_PEER_RESTART], 7 * BLOCK_BITS);
    assert_int_equal(store_usable(a.store, BLOCK_OURS) + store_usable(a.store, BLOCK_PEERS), 0);
    share_blocks(&a, &b, 4);
    assert_int_equal(store_usable(b.store, BLOCK_OURS), 2);
    stop(&a);
    stop(&b);
}

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
        cmocka_unit_test(test_the_lower_id_is_the_source),
        cmocka_unit_test(test_a_block_is_usable_at_the_source_only_when_acknowledged),
        cmocka_unit_test(test_keys_of_either_end_become_ready_at_the_other),
        cmocka_unit_test(test_whoever_has_less_gets_the_next_blocks),
        cmocka_unit_test(test_assignments_that_were_lost_are_sent_again_once),
        cmocka_unit_test(test_a_relayed_key_is_what_was_under_the_pad),
        cmocka_unit_test(test_a_relayed_key_without_its_pad_is_lost_and_counted),
        cmocka_unit_test(test_blocks_that_did_not_arrive_are_dropped_and_the_others_stay),
        cmocka_unit_test(test_after_a_restart_both_ends_forget_all_unassigned_blocks),
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
