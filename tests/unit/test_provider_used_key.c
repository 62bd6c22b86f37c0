/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "provider/used_key.h"

enum { THREADS = 8, ROUNDS = 200 };

static const struct key_id one = {{1, 2, 3}}, other = {{4, 5, 6}};

static void expect_nothing(const struct used_key *used)
{
    struct key_id id = other;
    enum role role = ROLE_RESPONDER;

    assert_false(used_key_ask(used, &role, &id));
    assert_int_equal(role, ROLE_RESPONDER);
    assert_true(key_id_equal(&id, &other));
}

static void expect_one(const struct used_key *used, enum role expected)
{
    struct key_id id;
    enum role role;

    assert_true(used_key_ask(used, &role, &id));
    assert_int_equal(role, expected);
    assert_true(key_id_equal(&id, &one));
}

static void one_key_is_told_and_none_or_two_are_not(void **state)
{
    struct used_key used;

    (void)state;
    used_key_init(&used);
    expect_nothing(&used);
    used_key_note(&used, ROLE_INITIATOR, &one);
    expect_one(&used, ROLE_INITIATOR);
    used_key_note(&used, ROLE_RESPONDER, &other);
    expect_nothing(&used);
    used_key_note(&used, ROLE_INITIATOR, &one);
    expect_nothing(&used);
}

static void a_copy_knows_what_was_known_and_goes_its_own_way(void **state)
{
    struct used_key used, copy;

    (void)state;
    used_key_init(&used);
    used_key_init(&copy);
    used_key_copy(&copy, &used);
    expect_nothing(&copy);
    used_key_note(&used, ROLE_RESPONDER, &one);
    expect_nothing(&copy);
    used_key_copy(&copy, &used);
    expect_one(&copy, ROLE_RESPONDER);
    used_key_note(&copy, ROLE_RESPONDER, &other);
    expect_nothing(&copy);
    expect_one(&used, ROLE_RESPONDER);
    used_key_init(&used);
    used_key_copy(&used, &copy);
    expect_nothing(&used);
    used_key_note(&used, ROLE_RESPONDER, &one);
    expect_nothing(&used);
}

static void *note(void *argument)
{
    struct key_id id;
    enum role role;

    used_key_note(argument, ROLE_INITIATOR, &one);
    /* Alone it is told whole, in company not at all. */
    return (void *)(uintptr_t)(!used_key_ask(argument, &role, &id) ||
                               (role == ROLE_INITIATOR && key_id_equal(&id, &one)));
}

static void of_many_threads_none_sees_a_part_and_the_end_is_no_key(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct used_key used;
        pthread_t threads[THREADS];
        void *good;

        used_key_init(&used);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, note, &used), 0);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], &good), 0);
            assert_non_null(good);
        }
        expect_nothing(&used);
    }
}

static void roles_have_the_names_of_the_field(void **state)
{
    (void)state;
    assert_string_equal(role_name(ROLE_INITIATOR), "initiator");
    assert_string_equal(role_name(ROLE_RESPONDER), "responder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_key_is_told_and_none_or_two_are_not),
        cmocka_unit_test(a_copy_knows_what_was_known_and_goes_its_own_way),
        cmocka_unit_test(of_many_threads_none_sees_a_part_and_the_end_is_no_key),
        cmocka_unit_test(roles_have_the_names_of_the_field),
    };

    return cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL);
}
