/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "provider/offer.h"

enum { THREADS = 8, ROUNDS = 200 };

static void an_offer_is_spent_once(void **state)
{
    struct offer *offer = offer_new(NULL, 700);

    (void)state;
    assert_non_null(offer);
    assert_int_equal(offer_left_ms(offer), 700);
    assert_true(offer_spend(offer));
    assert_null(offer_reservation(offer));
    assert_false(offer_spend(offer));
    assert_false(offer_spend(offer));
    offer_free(offer);
}

static void copies_share_it_and_what_one_spends_is_spent_for_all(void **state)
{
    struct offer *offer = offer_new(NULL, 1), *copy = offer_share(offer);

    (void)state;
    offer_free(offer);
    assert_true(offer_spend(copy));
    offer = offer_share(copy);
    offer_free(copy);
    assert_false(offer_spend(offer));
    offer_free(offer);
}

static void no_offer_has_no_copies(void **state)
{
    (void)state;
    assert_null(offer_share(NULL));
    offer_free(NULL);
}

static void *spend(void *argument)
{
    struct offer *offer = argument;
    uintptr_t spent = offer_spend(offer);

    offer_free(offer);
    return (void *)spent;
}

static void of_many_threads_exactly_one_spends_it(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct offer *offer = offer_new(NULL, 1);
        pthread_t threads[THREADS];
        uintptr_t spent = 0;

        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, spend, offer_share(offer)), 0);
        offer_free(offer);
        for (int i = 0; i < THREADS; i++) {
            void *result;

            pthread_join(threads[i], &result);
            spent += (uintptr_t)result;
        }
        assert_int_equal(spent, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offer_is_spent_once),
        cmocka_unit_test(copies_share_it_and_what_one_spends_is_spent_for_all),
        cmocka_unit_test(no_offer_has_no_copies),
        cmocka_unit_test(of_many_threads_exactly_one_spends_it),
    };

    return RUN_TESTS(tests);
}
