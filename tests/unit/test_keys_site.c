/* SPDX-License-Identifier: Apache-2.0 */
/* Several key servers of one site: which is asked, how long, and what becomes of one that hangs. */
#include "tests/unit/fake_ops.h"
#include "tests/unit/identity_files.h"

#include "keys/breaker.h"
#include "keys/site.h"

enum { TIMEOUT_MS = 80 };

struct scene {
    struct settings *settings;
    struct site *site;
    size_t member;
    struct status status;
};

static void open_scene(struct scene *scene, size_t kmes)
{
    *scene = (struct scene){.member = 99};
    scene->settings = fake_settings(&temp, kmes, "80", NULL, NULL);
    scene->site = site_new(scene->settings, &fake_ops, NULL);
    assert_non_null(scene->site);
}

static void close_scene(struct scene *scene)
{
    site_free(scene->site);
    settings_free(scene->settings);
}

static bool ask_any(const struct source_ops *ops, void *state, void *argument,
                    const struct deadline *deadline, struct status *status)
{
    (void)argument;
    return ops->prepare(state, deadline, status);
}

static bool ask_about(struct scene *scene, bool of_stranger)
{
    struct question question = {.ask = ask_any, .proves = true, .of_stranger = of_stranger};
    struct deadline deadline = deadline_in_ms(TIMEOUT_MS);

    status_clear(&scene->status);
    return site_ask(scene->site, &question, &deadline, &scene->member, &scene->status);
}

static bool ask(struct scene *scene)
{
    return ask_about(scene, false);
}

static void forget(void *argument, size_t member, const struct key_ref *ref, struct secret *key,
                   int64_t asked_ns)
{
    (void)argument;
    (void)member;
    (void)ref;
    (void)asked_ns;
    secret_free(key);
}

static void note_over(void *argument, size_t asked, const struct status *failure)
{
    struct status *kept = argument;

    (void)asked;
    *kept = *failure;
}

static bool advance(struct scene *scene, struct status *over)
{
    struct advance what = {forget, note_over, over};
    struct deadline now = deadline_in_ms(0);

    return site_advance(scene->site, &now, &what);
}

static void wait_ms(int ms)
{
    poll(NULL, 0, ms);
}

static void the_first_key_server_is_asked_while_it_answers(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, 3);
    for (int i = 0; i < 5; i++)
        assert_true(ask(&scene));
    assert_int_equal(scene.member, 0);
    assert_int_equal(fakes[0].asked, 5);
    assert_int_equal(fakes[1].asked + fakes[2].asked, 0);
    assert_string_equal(site_url(scene.site, 1), "https://kme-1");
    close_scene(&scene);
}

static void what_one_does_not_have_another_may(void **state)
{
    static const enum manner refusals[] = {REFUSES_PEER, REFUSES_EXHAUSTED, REFUSES};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        struct scene scene;

        open_scene(&scene, 3);
        fakes[0].manner = fakes[1].manner = refusals[i];
        assert_true(ask(&scene));
        assert_int_equal(scene.member, 2);
        /* A refusal costs nobody time: the first one is asked again. */
        assert_true(ask(&scene));
        assert_int_equal(fakes[0].asked, 2);
        close_scene(&scene);
    }
}

static void a_key_is_unknown_only_when_all_say_so(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, 2);
    fakes[0].manner = fakes[1].manner = REFUSES_PEER;
    assert_false(ask(&scene));
    assert_failed(&scene.status, OUTCOME_PEER, "KME 0: unknown; KME 1: unknown");
    fakes[1].manner = REFUSES;
    assert_false(ask(&scene));
    assert_failed(&scene.status, OUTCOME_KME, "KME 0: unknown; KME 1: no");
    fakes[0].manner = REFUSES_EXHAUSTED;
    fakes[1].manner = REFUSES_PEER;
    assert_false(ask(&scene));
    assert_failed(&scene.status, OUTCOME_EXHAUSTED, "KME 0: empty; KME 1: unknown");
    close_scene(&scene);
}

static void a_mistake_of_ours_is_not_taken_to_the_next_one(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, 2);
    fakes[0].manner = MISCONFIGURED;
    assert_false(ask(&scene));
    assert_failed(&scene.status, OUTCOME_CONFIG, "cert: wrong");
    assert_int_equal(fakes[1].asked, 0);
    close_scene(&scene);
}

static void one_that_hangs_leaves_time_for_the_next_and_is_left_out_then(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, 2);
    fakes[0].manner = HANGS;
    assert_true(ask(&scene));
    assert_int_equal(scene.member, 1);
    assert_in_range(fakes[0].budget_ms, 1, TIMEOUT_MS / 2);
    for (int i = 0; i < 10; i++)
        assert_true(ask(&scene));
    assert_int_equal(fakes[0].asked, 1);
    close_scene(&scene);
}

static void a_lonely_one_is_left_out_after_the_second_time(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, 1);
    fakes[0].manner = HANGS;
    for (int i = 0; i < 2; i++) {
        assert_false(ask(&scene));
        assert_failed(&scene.status, OUTCOME_TIMEOUT, "KME 0: silent");
    }
    for (int i = 0; i < 10; i++)
        assert_false(ask(&scene));
    assert_int_equal(fakes[0].asked, 2);
    assert_failed(&scene.status, OUTCOME_KME, "KME kme-0:443: it failed 2 times");
    assert_contains(scene.status.text, "KME 0: silent; not asked again");
    close_scene(&scene);
}

static void one_that_takes_long_to_refuse_is_left_out_too(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, 1);
    fakes[0].manner = REFUSES_LATE;
    for (int i = 0; i < 10; i++)
        assert_false(ask(&scene));
    assert_int_equal(fakes[0].asked, 2);
    assert_contains(scene.status.text, "it failed 2 times");
    close_scene(&scene);
}

static void what_a_stranger_asks_for_may_take_long_to_refuse(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, 1);
    fakes[0].manner = REFUSES_LATE;
    for (int i = 0; i < 5; i++)
        assert_false(ask_about(&scene, true));
    assert_int_equal(fakes[0].asked, 5);
    close_scene(&scene);
}

static void a_probe_that_is_refused_was_answered(void **state)
{
    struct scene scene;
    struct status over = STATUS_INIT;

    (void)state;
    open_scene(&scene, 1);
    fakes[0].manner = HANGS;
    assert_false(ask(&scene) || ask(&scene));
    wait_ms(BREAKER_PROBE_MIN_MS + 50);
    assert_false(ask(&scene));
    fakes[0].manner = REFUSES;
    assert_false(advance(&scene, &over));
    assert_false(ask(&scene));
    assert_int_equal(fakes[0].asked, 3);
    close_scene(&scene);
}

static void a_conversation_that_moves_may_take_as_long_as_its_visits_are_apart(void **state)
{
    struct scene scene;
    struct status over = STATUS_INIT;

    (void)state;
    open_scene(&scene, 1);
    fakes[0].manner = ANSWERS_IN_STEPS;
    assert_true(site_begin(scene.site, 8));
    for (int i = 0; i < 2; i++) {
        wait_ms(TIMEOUT_MS + 20);
        assert_true(advance(&scene, &over));
    }
    wait_ms(TIMEOUT_MS + 20);
    assert_false(advance(&scene, &over));
    assert_int_equal(over.outcome, OUTCOME_OK);
    close_scene(&scene);
}

static void who_comes_rarely_waits_a_little_for_the_probe(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, 1);
    fakes[0].manner = HANGS;
    assert_false(ask(&scene) || ask(&scene));
    fakes[0].manner = ANSWERS;
    wait_ms(1100);
    assert_true(ask(&scene));
    assert_int_equal(fakes[0].begun, 1);
    close_scene(&scene);
}

static void one_that_was_not_asked_may_be_asked_later(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, 2);
    fakes[0].manner = REFUSES_LATE;
    assert_true(ask(&scene));
    assert_int_equal(scene.member, 1);
    fakes[1].manner = HANGS;
    fakes[0].manner = ANSWERS;
    assert_false(ask(&scene));
    wait_ms(1100);
    assert_true(ask(&scene));
    close_scene(&scene);
}

static void a_refusal_between_two_hangs_starts_the_count_anew(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, 1);
    for (int i = 0; i < 3; i++) {
        fakes[0].manner = HANGS;
        assert_false(ask(&scene));
        fakes[0].manner = REFUSES_PEER;
        assert_false(ask(&scene));
    }
    assert_int_equal(fakes[0].asked, 6);
    close_scene(&scene);
}

static void a_probe_that_nobody_waits_for_brings_it_back(void **state)
{
    struct scene scene;
    struct status over = STATUS_INIT;

    (void)state;
    open_scene(&scene, 1);
    fakes[0].manner = HANGS;
    assert_false(ask(&scene) || ask(&scene));
    wait_ms(BREAKER_PROBE_MIN_MS + 50);
    assert_false(ask(&scene));
    assert_int_equal(fakes[0].begun, 1);
    assert_int_equal(fakes[0].wanted, 0);
    assert_false(advance(&scene, &over));
    assert_false(ask(&scene));
    fakes[0].manner = ANSWERS;
    assert_false(advance(&scene, &over));
    assert_int_equal(fakes[0].ended, 1);
    assert_true(ask(&scene));
    assert_int_equal(fakes[0].asked, 3);
    close_scene(&scene);
}

static void reservations_are_asked_for_once_and_time_out(void **state)
{
    struct scene scene;
    struct status over = STATUS_INIT;

    (void)state;
    open_scene(&scene, 2);
    fakes[0].manner = HANGS;
    assert_true(site_begin(scene.site, 8));
    assert_false(site_begin(scene.site, 8));
    assert_int_equal(fakes[0].begun, 1);
    assert_true(advance(&scene, &over));
    wait_ms(TIMEOUT_MS + 10);
    assert_false(advance(&scene, &over));
    assert_failed(&over, OUTCOME_TIMEOUT, "KME kme-0:443: no answer within 80 ms");
    /* The next one's turn. */
    assert_true(site_begin(scene.site, 8));
    assert_int_equal(fakes[1].begun, 1);
    assert_false(advance(&scene, &over));
    assert_int_equal(over.outcome, OUTCOME_OK);
    close_scene(&scene);
}

/* Which step fails; 0: none. */
static int use_as_child(void *argument)
{
    struct scene *scene = argument;
    struct status over = STATUS_INIT;

    fakes[0].manner = ANSWERS;
    if (advance(scene, &over) || fakes[0].abandoned != 1 || fakes[0].ended != 0)
        return 1;
    if (!ask(scene) || scene->member != 0)
        return 2;
    close_scene(scene);
    return 0;
}

static void a_forked_child_has_no_conversation_and_healthy_key_servers(void **state)
{
    struct scene scene;
    struct status over = STATUS_INIT;

    (void)state;
    open_scene(&scene, 2);
    fakes[0].manner = HANGS;
    assert_true(site_begin(scene.site, 8));
    assert_true(ask(&scene));
    assert_int_equal(in_child(use_as_child, &scene), 0);
    fakes[0].manner = ANSWERS;
    assert_false(advance(&scene, &over));
    assert_int_equal(fakes[0].abandoned, 0);
    assert_int_equal(fakes[0].ended, 1);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_key_server_is_asked_while_it_answers),
        cmocka_unit_test(what_one_does_not_have_another_may),
        cmocka_unit_test(a_key_is_unknown_only_when_all_say_so),
        cmocka_unit_test(a_mistake_of_ours_is_not_taken_to_the_next_one),
        cmocka_unit_test(one_that_hangs_leaves_time_for_the_next_and_is_left_out_then),
        cmocka_unit_test(a_lonely_one_is_left_out_after_the_second_time),
        cmocka_unit_test(one_that_takes_long_to_refuse_is_left_out_too),
        cmocka_unit_test(what_a_stranger_asks_for_may_take_long_to_refuse),
        cmocka_unit_test(a_probe_that_is_refused_was_answered),
        cmocka_unit_test(a_conversation_that_moves_may_take_as_long_as_its_visits_are_apart),
        cmocka_unit_test(who_comes_rarely_waits_a_little_for_the_probe),
        cmocka_unit_test(one_that_was_not_asked_may_be_asked_later),
        cmocka_unit_test(a_refusal_between_two_hangs_starts_the_count_anew),
        cmocka_unit_test(a_probe_that_nobody_waits_for_brings_it_back),
        cmocka_unit_test(reservations_are_asked_for_once_and_time_out),
        cmocka_unit_test(a_forked_child_has_no_conversation_and_healthy_key_servers),
    };

    return cmocka_run_group_tests_name(__FILE__, tests, make_files, remove_files);
}
