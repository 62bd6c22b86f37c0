/* SPDX-License-Identifier: Apache-2.0 */
/* Held keys that were put to rest, and are being opened again. */
#include "kme/store.h"

#include "tests/unit/fake_shelf.h"
#include "tests/unit/unit.h"

#define NS_PER_S INT64_C(1000000000)

static const struct key_id key_id = {{1}};

struct claimant {
    struct store *store;
    int told;
};

static void ignore(void *arg, const struct key_id *id)
{
    (void)arg;
    (void)id;
}

/* As the ETSI 014 service does for two claims that wait. */
static void claim_twice(void *arg, const struct key_id *id)
{
    struct claimant *claimant = arg;

    for (int i = 0; i < 2; i++) {
        if (!key_id_equal(&key_id, id))
            continue;
        claimant->told++;
        secret_free(store_claim(claimant->store, &key_id, "bob"));
    }
}

/* A store with one key that rests. */
static struct store *with_resting_key(struct shelf *shelf)
{
    struct store *store = store_new(shelf, "kme-x");
    struct relayed_key about = {.key_id = key_id, .lifetime_s = 3600, .initiator = "alice"};
    struct status status = STATUS_INIT;
    uint64_t displaced;

    assert_true(names_add(&about.responders, "bob"));
    assert_true(store_hold(store, &about, secret_new(32), NS_PER_S, &displaced, &status));
    store_tick(store, 10 * NS_PER_S);
    fake_shelf_work(shelf, SIZE_MAX);
    store_settled(store, shelf->settled, ignore, NULL);
    assert_int_equal(store_look(store, &key_id, "bob", "alice", 10 * NS_PER_S), CLAIM_OPENING);
    return store;
}

static void test_an_id_stays_good_while_it_is_told(void **state)
{
    struct shelf shelf = {0};
    struct claimant claimant = {.store = with_resting_key(&shelf)};

    (void)state;
    store_wake(claimant.store, &key_id);
    fake_shelf_work(&shelf, SIZE_MAX);
    store_settled(claimant.store, shelf.settled, claim_twice, &claimant);
    assert_int_equal(claimant.told, 2);
    store_free(claimant.store);
    fake_shelf_free(&shelf);
}

static void test_a_clean_stop_keeps_a_key_that_is_being_opened(void **state)
{
    struct shelf shelf = {0};
    struct store *store = with_resting_key(&shelf);
    struct store_loaded loaded;
    struct status status = STATUS_INIT;

    (void)state;
    store_wake(store, &key_id);
    store_rest_all(store, 11 * NS_PER_S);
    store_free(store);
    fake_shelf_work(&shelf, SIZE_MAX);
    fake_shelf_crash(&shelf);
    store = store_new(&shelf, "kme-x");
    assert_true(store_load(store, 20 * NS_PER_S, &loaded, &status));
    assert_int_equal(loaded.keys, 1);
    assert_int_equal(loaded.lost_bits, 0);
    store_free(store);
    fake_shelf_free(&shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_id_stays_good_while_it_is_told),
        cmocka_unit_test(test_a_clean_stop_keeps_a_key_that_is_being_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
