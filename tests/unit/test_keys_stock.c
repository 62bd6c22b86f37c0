/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations at hand: when they are asked for, who gets them, and what becomes of old ones. */
#include "tests/unit/fake_ops.h"
#include "tests/unit/identity_files.h"

#include "keys/stock.h"

enum { CAPACITY = 8, TIMEOUT_MS = 80 };

struct scene {
    struct settings *settings;
    struct site *site;
    struct stock *stock;
};

static void open_scene(struct scene *scene, const char *pool, const char *max_age_s)
{
    scene->settings = fake_settings(&temp, 1, "80", pool, max_age_s);
    scene->site = site_new(scene->settings, &fake_ops, NULL);
    assert_non_null(scene->site);
    scene->stock = stock_new(scene->settings, &fake_ops, scene->site, NULL);
    assert_non_null(scene->stock);
}

static void close_scene(struct scene *scene)
{
    stock_free(scene->stock);
    site_free(scene->site);
    settings_free(scene->settings);
}

/* One use: whether a reservation was at hand. */
static bool use(struct scene *scene)
{
    struct deadline deadline = deadline_in_ms(TIMEOUT_MS);
    struct ahead_key item = {.key = NULL};
    bool at_hand = stock_take(scene->stock, &deadline, &item);

    assert_true(!at_hand || item.key != NULL);
    secret_free(item.key);
    stock_refill(scene->stock);
    return at_hand;
}

static void a_pool_of_one_keeps_nothing(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, NULL, NULL);
    for (int i = 0; i < 10; i++)
        assert_false(use(&scene));
    assert_false(stock_look(scene.stock));
    assert_int_equal(fakes[0].begun, 0);
    close_scene(&scene);
}

static void the_first_use_asks_for_nothing_ahead_and_the_second_does(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, "8", NULL);
    assert_false(use(&scene));
    assert_int_equal(fakes[0].begun, 0);
    assert_false(use(&scene));
    assert_int_equal(fakes[0].begun, 1);
    assert_int_equal(fakes[0].wanted, CAPACITY);
    assert_true(use(&scene));
    close_scene(&scene);
}

static void more_is_asked_for_when_half_is_gone(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, "8", NULL);
    use(&scene);
    use(&scene);
    assert_int_equal(fakes[0].begun, 1);
    for (int left = CAPACITY - 1; left > CAPACITY / 2; left--) {
        assert_true(use(&scene));
        assert_int_equal(fakes[0].begun, 1);
    }
    assert_true(use(&scene));
    assert_int_equal(fakes[0].begun, 2);
    assert_int_equal(fakes[0].wanted, CAPACITY / 2);
    for (int i = 0; i < 100; i++)
        assert_true(use(&scene));
    close_scene(&scene);
}

static void a_refusal_halves_the_request_and_makes_a_pause(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, "8", NULL);
    fakes[0].manner = REFUSES_EXHAUSTED;
    for (int i = 0; i < 10; i++)
        assert_false(use(&scene));
    assert_int_equal(fakes[0].begun, 1);
    poll(NULL, 0, 1050);
    assert_false(use(&scene));
    assert_int_equal(fakes[0].begun, 2);
    assert_int_equal(fakes[0].wanted, CAPACITY / 2);
    close_scene(&scene);
}

static void what_is_on_its_way_is_waited_for_half_of_the_time(void **state)
{
    struct scene scene;
    struct deadline deadline;
    struct ahead_key item;

    (void)state;
    open_scene(&scene, "8", NULL);
    use(&scene);
    fakes[0].manner = HANGS;
    use(&scene);
    deadline = deadline_in_ms(TIMEOUT_MS);
    assert_false(stock_take(scene.stock, &deadline, &item));
    assert_false(deadline_passed(&deadline));
    fakes[0].manner = ANSWERS;
    assert_true(stock_take(scene.stock, &deadline, &item));
    secret_free(item.key);
    close_scene(&scene);
}

static void one_that_is_too_old_is_closed_and_not_handed_out(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, "8", "1");
    use(&scene);
    use(&scene);
    assert_true(stock_look(scene.stock));
    poll(NULL, 0, 1050);
    assert_false(stock_look(scene.stock));
    assert_false(use(&scene));
    assert_int_equal(fakes[0].streams_closed, CAPACITY);
    close_scene(&scene);
}

static void an_answer_that_was_read_too_late_is_not_handed_out(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, "8", "1");
    use(&scene);
    fakes[0].manner = HANGS;
    use(&scene);
    poll(NULL, 0, 1050);
    fakes[0].manner = ANSWERS;
    assert_false(use(&scene));
    assert_int_equal(fakes[0].streams_closed, CAPACITY);
    close_scene(&scene);
}

static void no_more_are_asked_for_than_will_be_used_in_time(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, "8", "1");
    use(&scene);
    poll(NULL, 0, 600);
    use(&scene);
    assert_int_equal(fakes[0].begun, 0);
    for (int i = 0; i < 6; i++) {
        poll(NULL, 0, 200);
        use(&scene);
    }
    assert_true(fakes[0].begun > 0);
    assert_in_range(fakes[0].wanted, 1, 5);
    close_scene(&scene);
}

/* Which step fails; 0: none. */
static int use_as_child(void *argument)
{
    struct scene *scene = argument;

    if (stock_look(scene->stock) || use(scene))
        return 1;
    if (fakes[0].streams_closed != 0)
        return 2;
    close_scene(scene);
    return 0;
}

static void a_forked_child_has_none_of_them(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, "8", NULL);
    use(&scene);
    use(&scene);
    assert_true(stock_look(scene.stock));
    assert_int_equal(in_child(use_as_child, &scene), 0);
    assert_true(use(&scene));
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_of_one_keeps_nothing),
        cmocka_unit_test(the_first_use_asks_for_nothing_ahead_and_the_second_does),
        cmocka_unit_test(more_is_asked_for_when_half_is_gone),
        cmocka_unit_test(a_refusal_halves_the_request_and_makes_a_pause),
        cmocka_unit_test(what_is_on_its_way_is_waited_for_half_of_the_time),
        cmocka_unit_test(one_that_is_too_old_is_closed_and_not_handed_out),
        cmocka_unit_test(an_answer_that_was_read_too_late_is_not_handed_out),
        cmocka_unit_test(no_more_are_asked_for_than_will_be_used_in_time),
        cmocka_unit_test(a_forked_child_has_none_of_them),
    };

    return cmocka_run_group_tests_name(__FILE__, tests, make_files, remove_files);
}
