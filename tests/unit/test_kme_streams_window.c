/* SPDX-License-Identifier: Apache-2.0 */
/* kme/window004.h: one delivery of a position, bounds, expiry; against a plain array. */
#include "tests/unit/unit.h"

#include "kme/window004.h"

enum { WIDTH = 8, POSITIONS = 2000, KEY_BYTES = 32 };

static struct secret *key_of(uint32_t index)
{
    struct secret *key = secret_new(KEY_BYTES);

    assert_non_null(key);
    memset(key->bytes, 0xa5, KEY_BYTES);
    memcpy(key->bytes, &index, sizeof(index));
    return key;
}

static bool hold(struct window004 *window, uint32_t index, int64_t now_ns)
{
    struct secret *key = key_of(index);
    bool held = window004_hold(window, index, key, now_ns);

    if (!held)
        secret_free(key);
    return held;
}

static enum position_state look(const struct window004 *window, uint32_t index)
{
    struct position *position;

    return window004_look(window, index, &position);
}

/* Whether the position was held, and its key is that of the index. */
static bool deliver(struct window004 *window, uint32_t index)
{
    struct position *position;
    struct secret *key, *expected;
    bool same;

    if (window004_look(window, index, &position) != POSITION_HELD)
        return false;
    key = window004_deliver(window, position);
    expected = key_of(index);
    same = secret_equal(key, expected);
    secret_free(key);
    secret_free(expected);
    return same;
}

static void test_a_position_is_delivered_once(void **state)
{
    struct window004 window;

    (void)state;
    window004_init(&window, WIDTH);
    assert_int_equal(look(&window, 0), POSITION_FREE);
    assert_true(hold(&window, 0, 1));
    assert_false(hold(&window, 0, 2));
    assert_true(deliver(&window, 0));
    assert_int_equal(look(&window, 0), POSITION_SPENT);
    assert_false(deliver(&window, 0));
    assert_false(hold(&window, 0, 3));
    assert_false(window004_await(&window, 0, 3));
    window004_clear(&window);
    assert_int_equal(window.wiped_bits, 0);
}

static void test_a_kept_position_is_delivered_again_and_is_no_loss(void **state)
{
    struct window004 window;
    struct position *position;

    (void)state;
    window004_init(&window, WIDTH);
    assert_true(hold(&window, 0, 1));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(window004_look(&window, 0, &position), POSITION_HELD);
        window004_deliver_and_keep(&window, position);
    }
    assert_int_equal(window004_expire(&window, 1), INT64_MAX);
    assert_int_equal(look(&window, 0), POSITION_SPENT);
    assert_int_equal(window.wiped_bits, 0);
    window004_clear(&window);
}

static void test_the_window_reaches_one_width_beyond_the_highest_delivered(void **state)
{
    struct window004 window;

    (void)state;
    window004_init(&window, WIDTH);
    assert_true(window004_admits(&window, WIDTH - 1));
    assert_false(window004_admits(&window, WIDTH));
    assert_true(hold(&window, WIDTH - 1, 1) && deliver(&window, WIDTH - 1));
    assert_true(window004_admits(&window, 2 * WIDTH - 1));
    assert_false(window004_admits(&window, 2 * WIDTH));
    assert_true(window004_admits(&window, 0));
    assert_true(hold(&window, WIDTH, 1) && deliver(&window, WIDTH));
    assert_false(window004_admits(&window, 0)); /* one width behind it */
    assert_true(window004_admits(&window, 1));
    window004_clear(&window);
}

static void test_keys_that_fall_out_of_the_window_are_wiped_and_counted(void **state)
{
    struct window004 window;

    (void)state;
    window004_init(&window, WIDTH);
    for (uint32_t i = 0; i < 2 * WIDTH; i++)
        assert_true(hold(&window, i, 1));
    assert_int_equal(window.wiped_bits, 0);
    assert_true(hold(&window, 2 * WIDTH, 1)); /* 0 has to go */
    assert_int_equal(window.wiped_bits, KEY_BYTES * 8);
    assert_int_equal(look(&window, 0), POSITION_SPENT);
    assert_true(deliver(&window, 1));
    assert_true(deliver(&window, 2 * WIDTH));
    assert_int_equal(look(&window, WIDTH), POSITION_SPENT);
    assert_true(deliver(&window, WIDTH + 1));
    window004_clear(&window);
}

static void test_the_largest_index_is_an_index_like_others(void **state)
{
    struct window004 window;

    (void)state;
    window004_init(&window, WIDTH);
    assert_false(window004_admits(&window, UINT32_MAX));
    assert_false(window004_admits_peer(&window, UINT32_MAX));
    window.delivered = window.newest = UINT32_MAX;
    window.floor = UINT32_MAX - WIDTH;
    assert_true(window004_admits(&window, UINT32_MAX));
    assert_true(hold(&window, UINT32_MAX, 1));
    assert_false(window004_admits(&window, 0));
    assert_true(deliver(&window, UINT32_MAX));
    assert_int_equal(look(&window, UINT32_MAX), POSITION_SPENT);
    assert_int_equal(look(&window, 0), POSITION_SPENT);
    window004_clear(&window);
}

static void test_awaited_positions_become_held_or_free(void **state)
{
    struct window004 window;

    (void)state;
    window004_init(&window, WIDTH);
    assert_true(window004_await(&window, 3, 1));
    assert_true(window004_await(&window, 3, 2));
    assert_int_equal(look(&window, 3), POSITION_AWAITED);
    window004_give_up(&window, 3);
    assert_int_equal(look(&window, 3), POSITION_FREE);
    assert_true(window004_await(&window, 3, 3) && hold(&window, 3, 4) && deliver(&window, 3));
    window004_give_up(&window, 3);
    assert_int_equal(look(&window, 3), POSITION_SPENT);
    window004_clear(&window);
}

static void test_keys_expire_by_their_age_and_the_oldest_left_is_told(void **state)
{
    struct window004 window;

    (void)state;
    window004_init(&window, WIDTH);
    for (uint32_t i = 0; i < 4; i++)
        assert_true(hold(&window, i, 10 + i));
    assert_true(deliver(&window, 0));
    assert_int_equal(window004_expire(&window, 11), 12);
    assert_int_equal(window.wiped_bits, KEY_BYTES * 8);
    assert_int_equal(look(&window, 1), POSITION_SPENT);
    assert_true(deliver(&window, 2) && deliver(&window, 3));
    assert_int_equal(window004_expire(&window, 11), INT64_MAX);
    window004_clear(&window);
}

static void test_spending_wipes_and_closes_a_position(void **state)
{
    struct window004 window;

    (void)state;
    window004_init(&window, WIDTH);
    assert_true(hold(&window, 1, 1));
    window004_spend(&window, 1);
    window004_spend(&window, 2);
    assert_int_equal(look(&window, 1), POSITION_SPENT);
    assert_int_equal(look(&window, 2), POSITION_SPENT);
    assert_int_equal(window.wiped_bits, KEY_BYTES * 8);
    assert_false(hold(&window, 2, 1));
    window004_clear(&window);
}

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    return *random >> 8;
}

/* A plain array as the model: no position is delivered twice, none that is inside the window and
 * held is lost, and the table does not grow beyond what the width allows. */
static void test_random_use_agrees_with_a_plain_array(void **state)
{
    static enum position_state model[POSITIONS];
    struct window004 window;
    uint32_t random = 7;

    (void)state;
    memset(model, 0, sizeof(model));
    window004_init(&window, WIDTH);
    for (int step = 0; step < 200000; step++) {
        uint64_t top = window.newest + WIDTH;
        uint32_t index = next_random(&random) % (uint32_t)(top < POSITIONS ? top : POSITIONS);
        bool below;

        if (next_random(&random) % 2 == 0) {
            bool expected = index >= window.floor && model[index] == POSITION_FREE &&
                            window004_admits_peer(&window, index);

            if (window004_admits_peer(&window, index)) {
                assert_int_equal(hold(&window, index, step), expected);
                if (expected)
                    model[index] = POSITION_HELD;
            }
        } else {
            below = index < window.floor;
            assert_int_equal(deliver(&window, index), !below && model[index] == POSITION_HELD);
            if (model[index] == POSITION_HELD)
                model[index] = POSITION_SPENT;
        }
        assert_true(window.slot_count <= 2 * WIDTH);
        assert_true(window.newest <= window.floor + 2 * WIDTH);
    }
    assert_true(window.newest > POSITIONS - WIDTH);
    window004_clear(&window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_position_is_delivered_once),
        cmocka_unit_test(test_a_kept_position_is_delivered_again_and_is_no_loss),
        cmocka_unit_test(test_the_window_reaches_one_width_beyond_the_highest_delivered),
        cmocka_unit_test(test_keys_that_fall_out_of_the_window_are_wiped_and_counted),
        cmocka_unit_test(test_the_largest_index_is_an_index_like_others),
        cmocka_unit_test(test_awaited_positions_become_held_or_free),
        cmocka_unit_test(test_keys_expire_by_their_age_and_the_oldest_left_is_told),
        cmocka_unit_test(test_spending_wipes_and_closes_a_position),
        cmocka_unit_test(test_random_use_agrees_with_a_plain_array),
    };

    return RUN_TESTS(tests);
}
