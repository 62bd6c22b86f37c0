/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kme/stream004.h: the two ends of key streams in one process. The link between them is here:
 * frames are encoded, kept, and arrive when the test says so. So every order of events can be had.
 */
#include "tests/unit/stream_ends.h"

static char qubip[] = "qubip";

static void test_the_first_chunk_travels_with_the_opening(void **state)
{
    struct end a, b;
    struct key_id id = id_of(1);
    struct secret *key;

    (void)state;
    start_both(&a, &b);
    stock(&a, &b, 8);
    open_first(&a, &id, true, 32);
    carry(&a, &b, NO_LIMIT);
    assert_int_equal(state_at(&b, &id), STATE004_PEER_ONLY);
    assert_true(open_with_id(&b, &id, 32));
    key = get_key(&b, &id, 0);
    assert_non_null(key); /* and nothing has gone back to the first end */
    secret_free(key);
    assert_null(get_key(&a, &id, 0));
    carry(&b, &a, NO_LIMIT);
    assert_int_equal(state_at(&a, &id), STATE004_BOTH);
    key = get_key(&a, &id, 0);
    assert_non_null(key);
    secret_free(key);
    stop(&a);
    stop(&b);
}

static void test_the_end_that_does_not_cut_asks_for_what_it_lacks(void **state)
{
    struct end a, b;
    struct key_id id = id_of(1);

    (void)state;
    start_both(&a, &b);
    stock(&a, &b, 32);
    open_first(&a, &id, true, 40);
    exchange(&a, &b);
    assert_true(open_with_id(&b, &id, 32));
    exchange(&a, &b);
    for (uint32_t index = 0; index < 8; index++)
        assert_same(&a, &b, &id, 7 - index);
    assert_int_equal(a.peer.counters.lost_bits[LOSS_SURPLUS], 8 * (512 - 320));
    stop(&a);
    stop(&b);
}

static void test_a_shortage_is_made_good_in_turns(void **state)
{
    struct end a, b;
    struct key_id ids[2] = {id_of(1), id_of(2)};
    struct secret *key;

    (void)state;
    start_both(&a, &b);
    for (int i = 0; i < 2; i++) {
        open_first(&a, &ids[i], true, 32);
        exchange(&a, &b);
        assert_true(open_with_id(&b, &ids[i], 32));
        exchange(&a, &b);
        for (uint32_t index = 0; index < 3; index++)
            assert_null(get_key(&a, &ids[i], index));
    }
    stock(&a, &b, 4); /* two are a's */
    for (int i = 0; i < 2; i++) {
        key = get_key(&a, &ids[i], 0);
        assert_non_null(key);
        secret_free(key);
        assert_null(get_key(&a, &ids[i], 1));
    }
    stock(&a, &b, 8);
    exchange(&a, &b);
    for (int i = 0; i < 2; i++)
        for (uint32_t index = 1; index < 3; index++)
            assert_same(&a, &b, &ids[i], index);
    stop(&a);
    stop(&b);
}

/* Both at once, in every order in which the news can arrive. */
static void test_two_first_openings_of_one_id_become_one_stream(void **state)
{
    (void)state;
    for (int b_first = 0; b_first < 2; b_first++) {
        for (int generated = 0; generated < 2; generated++) {
            struct end a, b;
            struct key_id id = id_of(1);

            start_both(&a, &b);
            stock(&a, &b, 8);
            open_first(&a, &id, false, 32);
            open_first(&b, &id, generated == 1, 64);
            if (b_first)
                carry(&b, &a, 1);
            else
                carry(&a, &b, 1);
            exchange(&a, &b);
            assert_int_equal(state_at(&a, &id), STATE004_BOTH);
            assert_int_equal(state_at(&b, &id), STATE004_BOTH);
            assert_int_equal(catalogue004_find(&a.catalogue, &id)->ours, !generated);
            assert_int_equal(catalogue004_find(&b.catalogue, &id)->ours, generated);
            assert_same(&a, &b, &id, 0);
            assert_same(&a, &b, &id, 5);
            close_here(&a, &id);
            close_here(&b, &id);
            exchange(&a, &b);
            assert_nothing_left(&a);
            assert_nothing_left(&b);
            stop(&a);
            stop(&b);
        }
    }
}

static void test_a_late_word_about_a_closed_opening_does_not_end_its_successor(void **state)
{
    struct end a, b;
    struct key_id id = id_of(1);

    (void)state;
    start_both(&a, &b);
    a.config.etsi004.compat = b.config.etsi004.compat = qubip;
    stock(&a, &b, 8);
    open_first(&a, &id, true, 32);
    exchange(&a, &b);
    assert_true(open_with_id(&b, &id, 32));
    exchange(&a, &b);
    close_here(&a, &id);
    carry(&a, &b, NO_LIMIT);
    close_here(&b, &id); /* its news is still on the way */
    carry(&b, &a, NO_LIMIT);
    open_first(&a, &id, false, 32);
    close_here(&a, &id);
    open_first(&a, &id, false, 32);
    carry(&a, &b, 1); /* the second opening; the end of it and the third are on the way */
    stream004_tell_joined(b.streams, catalogue004_find(&b.catalogue, &id));
    stream004_move(b.streams, catalogue004_find(&b.catalogue, &id), EVENT004_LOCAL_OPENED,
                   ETSI004_SUCCESS);
    carry(&b, &a, NO_LIMIT);
    assert_int_equal(state_at(&a, &id), STATE004_LOCAL_ONLY); /* not joined by the old word */
    stop(&a);
    stop(&b);
}

static void test_a_peer_that_started_again_ends_all_streams(void **state)
{
    struct end a, b;
    struct key_id ids[3] = {id_of(1), id_of(2), id_of(3)};

    (void)state;
    start_both(&a, &b);
    stock(&a, &b, 16);
    for (int i = 0; i < 3; i++)
        open_first(i == 2 ? &b : &a, &ids[i], true, 32);
    exchange(&a, &b);
    assert_true(open_with_id(&b, &ids[0], 32));
    exchange(&a, &b);
    a.link.events->up(a.link.arg, true);
    assert_int_equal(a.catalogue.table.item_count, 3);
    a.link.events->up(a.link.arg, false);
    assert_nothing_left(&a);
    assert_int_equal(a.metrics.streams_closed, 3);
    stop(&a);
    stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_chunk_travels_with_the_opening),
        cmocka_unit_test(test_the_end_that_does_not_cut_asks_for_what_it_lacks),
        cmocka_unit_test(test_a_shortage_is_made_good_in_turns),
        cmocka_unit_test(test_two_first_openings_of_one_id_become_one_stream),
        cmocka_unit_test(test_a_late_word_about_a_closed_opening_does_not_end_its_successor),
        cmocka_unit_test(test_a_peer_that_started_again_ends_all_streams),
    };

    return RUN_TESTS(tests);
}
