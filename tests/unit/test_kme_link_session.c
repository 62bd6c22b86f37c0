/* SPDX-License-Identifier: Apache-2.0 */
/* kme/link_session.h: blocks and keys of two ends, and what is lost on the way. */
#include "tests/unit/link_ends.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
