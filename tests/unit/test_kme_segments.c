/* SPDX-License-Identifier: Apache-2.0 */
/* kme/store.h with a shelf: when material may leave, and what comes back after an end. */
#include "tests/unit/unit.h"

#include "kme/store.h"
#include "tests/unit/fake_shelf.h"

enum { SEGMENT = 4 };

#define S INT64_C(1000000000)

struct world {
    struct shelf shelf;
    struct store *store;
    struct store_loaded loaded;
    int ready; /* keys that were said to be */
};

static void on_ready(void *arg, const struct key_id *key_id)
{
    struct world *world = arg;

    (void)key_id;
    world->ready++;
}

static void start(struct world *world)
{
    struct status status = STATUS_INIT;

    world->store = store_new(&world->shelf, "kme-x");
    assert_non_null(world->store);
    assert_true(store_load(world->store, 0, &world->loaded, &status));
}

static void begin(struct world *world)
{
    memset(world, 0, sizeof(*world));
    start(world);
}

/* What has not reached the disk is lost. */
static void crash(struct world *world)
{
    store_free(world->store);
    fake_shelf_crash(&world->shelf);
    start(world);
}

static void end(struct world *world)
{
    store_free(world->store);
    fake_shelf_free(&world->shelf);
}

static bool work_disk(struct world *world, size_t operations)
{
    fake_shelf_work(&world->shelf, operations);
    return store_settled(world->store, world->shelf.settled, on_ready, world);
}

static struct key_id id_of(uint32_t number)
{
    struct key_id id;

    memset(&id, 0, sizeof(id));
    memcpy(id.octets, &number, sizeof(number));
    return id;
}

/* Blocks first to first + SEGMENT - 1; the octets of each are its number. */
static void add(struct world *world, uint32_t first, enum block_owner owner, bool rests)
{
    struct segment_head head = {id_of(first), owner, rests};
    struct block blocks[SEGMENT];

    for (uint32_t i = 0; i < SEGMENT; i++) {
        blocks[i].id = id_of(first + i);
        memset(blocks[i].octets, (int)(first + i), BLOCK_BYTES);
    }
    assert_true(store_add(world->store, &head, blocks, SEGMENT, 0));
}

static bool reserve(struct world *world)
{
    struct assignment assignment;
    struct status status = STATUS_INIT;
    struct secret *key = NULL;

    memset(&assignment, 0, sizeof(assignment));
    assignment.size_bits = BLOCK_BITS;
    assignment.lifetime_s = 100;
    strcpy(assignment.initiator, "i");
    assert_true(names_add(&assignment.responders, "r"));
    if (!store_reserve(world->store, &assignment, 0, &key, &status))
        return false;
    secret_free(key);
    return true;
}

static struct assignment assigned(uint32_t block, const char *second_responder)
{
    struct assignment assignment;

    memset(&assignment, 0, sizeof(assignment));
    assignment.size_bits = BLOCK_BITS;
    assignment.lifetime_s = 100;
    strcpy(assignment.initiator, "i");
    assert_true(names_add(&assignment.responders, "r"));
    if (second_responder != NULL)
        assert_true(names_add(&assignment.responders, second_responder));
    assignment.block_count = 1;
    assignment.key_id = assignment.blocks[0] = id_of(block);
    return assignment;
}

static bool assign(struct world *world, uint32_t block)
{
    const struct assignment assignment = assigned(block, NULL);
    struct status status = STATUS_INIT;
    uint64_t displaced_bits;

    return store_assign(world->store, &assignment, 0, &displaced_bits, &status);
}

static enum claim_state look(struct world *world, uint32_t block, const char *responder)
{
    const struct key_id id = id_of(block);

    return store_look(world->store, &id, responder, "i", 0);
}

static bool claim(struct world *world, uint32_t block, const char *responder)
{
    const struct key_id id = id_of(block);
    struct secret *key = store_claim(world->store, &id, responder);
    bool right = key != NULL && key->size_bytes == BLOCK_BYTES && key->bytes[0] == (uint8_t)block;

    secret_free(key);
    return right;
}

static void open_ours(struct world *world, size_t wanted)
{
    struct key_id ids[8];
    size_t count = store_open_ours(world->store, wanted, ids, COUNT_OF(ids));

    store_opened_by_peer(world->store, ids, count);
}

static void test_ours_is_usable_when_both_copies_are_gone_in_either_order(void **state)
{
    struct world world;
    struct key_id ids[2];

    (void)state;
    begin(&world);
    add(&world, 1, BLOCK_OURS, true);
    add(&world, 11, BLOCK_OURS, true);
    assert_int_equal(store_usable(world.store, BLOCK_OURS), 0);
    assert_int_equal(store_available(world.store, BLOCK_OURS), 2 * SEGMENT);
    assert_false(reserve(&world));
    assert_int_equal(store_open_ours(world.store, 1, ids, 2), 1); /* the oldest, and enough */
    assert_true(key_id_equal(&ids[0], (struct key_id[]){id_of(1)}));
    work_disk(&world, SIZE_MAX); /* ours first */
    assert_int_equal(store_usable(world.store, BLOCK_OURS), 0);
    assert_true(store_opened_by_peer(world.store, ids, 1));
    assert_int_equal(store_usable(world.store, BLOCK_OURS), SEGMENT);
    assert_int_equal(store_open_ours(world.store, 2 * SEGMENT, ids, 2), 1);
    assert_false(store_opened_by_peer(world.store, ids, 1)); /* the peer first */
    assert_int_equal(store_usable(world.store, BLOCK_OURS), SEGMENT);
    assert_true(work_disk(&world, SIZE_MAX));
    assert_int_equal(store_usable(world.store, BLOCK_OURS), 2 * SEGMENT);
    assert_true(reserve(&world));
    end(&world);
}

static void test_the_peers_word_about_what_was_not_asked_for_opens_nothing(void **state)
{
    const struct key_id ids[] = {id_of(1), id_of(11), id_of(99)};
    struct world world;

    (void)state;
    begin(&world);
    add(&world, 1, BLOCK_OURS, true);
    add(&world, 11, BLOCK_PEERS, true);
    assert_false(store_opened_by_peer(world.store, ids, COUNT_OF(ids)));
    open_ours(&world, SEGMENT);
    assert_int_equal(store_usable(world.store, BLOCK_OURS), 0);
    end(&world);
}

static void test_the_peer_may_cut_only_from_what_has_left_the_shelf(void **state)
{
    const struct key_id id = id_of(1);
    struct world world;

    (void)state;
    begin(&world);
    add(&world, 1, BLOCK_PEERS, true);
    assert_false(assign(&world, 1)); /* it rests */
    assert_false(store_open_peers(world.store, &id, 1));
    assert_false(assign(&world, 1)); /* the disk has not done it */
    work_disk(&world, SIZE_MAX);
    assert_true(store_open_peers(world.store, &id, 1));
    assert_true(assign(&world, 1));
    assert_true(claim(&world, 1, "r"));
    end(&world);
}

static void test_a_full_shelf_delays_opening_and_costs_nothing(void **state)
{
    const struct key_id id = id_of(1);
    struct world world;
    struct key_id ids[2];

    (void)state;
    begin(&world);
    add(&world, 1, BLOCK_PEERS, true);
    add(&world, 11, BLOCK_OURS, true);
    work_disk(&world, SIZE_MAX);
    world.shelf.refuses = true;
    assert_false(store_open_peers(world.store, &id, 1));
    assert_int_equal(store_open_ours(world.store, SEGMENT, ids, 2), 0);
    work_disk(&world, SIZE_MAX);
    assert_false(assign(&world, 1));
    world.shelf.refuses = false;
    assert_false(store_open_peers(world.store, &id, 1));
    assert_int_equal(store_open_ours(world.store, SEGMENT, ids, 2), 1);
    work_disk(&world, SIZE_MAX);
    assert_true(store_open_peers(world.store, &id, 1));
    end(&world);
}

static void test_a_crash_keeps_what_rests_and_says_what_was_open(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    add(&world, 1, BLOCK_OURS, true);
    add(&world, 11, BLOCK_OURS, true);
    add(&world, 21, BLOCK_PEERS, false); /* born open */
    open_ours(&world, SEGMENT);
    work_disk(&world, SIZE_MAX);
    add(&world, 31, BLOCK_PEERS, true); /* not on the disk yet */
    crash(&world);
    assert_int_equal(world.loaded.blocks, SEGMENT);
    assert_int_equal(store_available(world.store, BLOCK_OURS), SEGMENT);
    assert_int_equal(store_unassigned(world.store), SEGMENT);
    assert_true(world.loaded.lost_bits >= 2 * SEGMENT * BLOCK_BITS);
    assert_true(world.loaded.lost_bits < 2 * SEGMENT * BLOCK_BITS + STORE_RISK_STEP_BITS);
    store_tick(world.store, 1 * S);
    work_disk(&world, SIZE_MAX);
    crash(&world);
    assert_int_equal(world.loaded.lost_bits, 0); /* it was said */
    end(&world);
}

static void test_what_was_delivered_is_not_said_to_be_lost(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    add(&world, 1, BLOCK_OURS, false);
    add(&world, 11, BLOCK_PEERS, false);
    for (uint32_t i = 0; i < SEGMENT; i++) {
        assert_true(reserve(&world));
        assert_true(assign(&world, 11 + i));
        assert_true(i == 0 || claim(&world, 11 + i, "r"));
    }
    store_tick(world.store, 0);
    work_disk(&world, SIZE_MAX);
    crash(&world);
    assert_int_equal(world.loaded.lost_bits, STORE_RISK_STEP_BITS); /* the key that is held */
    end(&world);

    begin(&world);
    add(&world, 11, BLOCK_PEERS, false);
    for (uint32_t i = 0; i < SEGMENT; i++) {
        assert_true(assign(&world, 11 + i));
        assert_true(claim(&world, 11 + i, "r"));
    }
    store_tick(world.store, 0);
    work_disk(&world, SIZE_MAX);
    crash(&world);
    assert_int_equal(world.loaded.lost_bits, 0);
    end(&world);
}

static void test_a_clean_end_puts_back_what_was_not_used(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    add(&world, 1, BLOCK_OURS, true);
    add(&world, 11, BLOCK_OURS, false);
    add(&world, 21, BLOCK_PEERS, false);
    open_ours(&world, SEGMENT + 1);
    work_disk(&world, SIZE_MAX);
    assert_true(reserve(&world)); /* block 11, as it was open first */
    assert_true(assign(&world, 22));
    assert_true(assign(&world, 23));
    assert_true(claim(&world, 23, "r"));
    store_rest_all(world.store, 0);
    fake_shelf_work(&world.shelf, SIZE_MAX);
    crash(&world);
    assert_int_equal(world.loaded.lost_bits, 0);
    assert_int_equal(store_available(world.store, BLOCK_OURS), 2 * SEGMENT - 1);
    assert_int_equal(store_available(world.store, BLOCK_PEERS), SEGMENT - 2);
    assert_int_equal(world.loaded.keys, 1);
    assert_int_equal(look(&world, 23, "r"), CLAIM_UNKNOWN); /* delivered: gone for good */
    assert_int_equal(look(&world, 22, "r"), CLAIM_OPENING);
    end(&world);
}

static void wake(struct world *world, uint32_t block)
{
    const struct key_id id = id_of(block);

    store_wake(world->store, &id);
}

static void test_a_key_that_rests_is_delivered_when_its_copy_is_gone(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    add(&world, 21, BLOCK_PEERS, false);
    assert_true(assign(&world, 21));
    assert_true(assign(&world, 22));
    store_tick(world.store, 1 * S);
    assert_int_equal(look(&world, 21, "r"), CLAIM_READY);
    store_tick(world.store, 3 * S);
    assert_int_equal(look(&world, 21, "r"), CLAIM_OPENING); /* being put there */
    assert_false(claim(&world, 21, "r"));
    wake(&world, 21);
    wake(&world, 21);
    assert_int_equal(look(&world, 21, "r"), CLAIM_OPENING);
    work_disk(&world, SIZE_MAX);
    assert_int_equal(world.ready, 2);
    assert_true(claim(&world, 21, "r"));
    store_tick(world.store, 4 * S); /* its neighbour goes back at once */
    work_disk(&world, SIZE_MAX);
    crash(&world);
    assert_int_equal(world.loaded.keys, 1);
    assert_int_equal(look(&world, 21, "r"), CLAIM_UNKNOWN);
    wake(&world, 22);
    work_disk(&world, SIZE_MAX);
    assert_true(claim(&world, 22, "r"));
    end(&world);
}

static void test_a_key_for_several_rests_with_those_who_have_not_had_it(void **state)
{
    const struct assignment assignment = assigned(21, "s");
    struct status status = STATUS_INIT;
    struct world world;
    uint64_t displaced_bits;

    (void)state;
    begin(&world);
    add(&world, 21, BLOCK_PEERS, false);
    assert_true(store_assign(world.store, &assignment, 0, &displaced_bits, &status));
    assert_true(claim(&world, 21, "r"));
    store_tick(world.store, 3 * S);
    work_disk(&world, SIZE_MAX);
    crash(&world);
    assert_int_equal(look(&world, 21, "r"), CLAIM_UNKNOWN);
    assert_int_equal(look(&world, 21, "s"), CLAIM_OPENING);
    assert_int_equal(look(&world, 21, "t"), CLAIM_UNAUTHORISED);
    wake(&world, 21);
    work_disk(&world, SIZE_MAX);
    assert_false(claim(&world, 21, "r"));
    assert_true(claim(&world, 21, "s"));
    end(&world);
}

static void test_what_expires_at_rest_leaves_the_shelf(void **state)
{
    struct world world;

    (void)state;
    begin(&world);
    add(&world, 21, BLOCK_PEERS, false);
    assert_true(assign(&world, 21));
    store_tick(world.store, 3 * S);
    work_disk(&world, SIZE_MAX);
    assert_int_equal(store_expire(world.store, 100 * S), BLOCK_BITS);
    work_disk(&world, SIZE_MAX);
    crash(&world);
    assert_int_equal(world.loaded.keys, 0);
    end(&world);
}

static void test_what_has_no_twin_any_more_is_burnt(void **state)
{
    const struct key_id ids[] = {id_of(21), id_of(1), id_of(99)};
    struct world world;

    (void)state;
    begin(&world);
    add(&world, 1, BLOCK_OURS, false);
    add(&world, 21, BLOCK_PEERS, false);
    store_burn_peers(world.store, ids, COUNT_OF(ids));
    assert_int_equal(store_usable(world.store, BLOCK_PEERS), SEGMENT - 1);
    assert_int_equal(store_usable(world.store, BLOCK_OURS), SEGMENT); /* not the peer's to burn */
    end(&world);
}

static void test_an_item_that_cannot_be_read_is_left_out_and_erased(void **state)
{
    static const uint8_t bad[] = {1, 7, 0, 0, 0, 1}, old[] = {9, 0, 0, 0, 0, 0};
    const struct key_id ids[] = {id_of(1), id_of(2), id_of(3), id_of(4)};
    struct world world;

    (void)state;
    memset(&world, 0, sizeof(world));
    shelf_put(&world.shelf, SHELF_SEGMENT, "kme-x", &ids[0], bad, sizeof(bad));
    shelf_put(&world.shelf, SHELF_SEGMENT, "kme-x", &ids[1], old, sizeof(old));
    shelf_put(&world.shelf, SHELF_KEY, "kme-x", &ids[2], old, sizeof(old));
    shelf_put(&world.shelf, SHELF_KEY, "kme-x", &ids[3], bad, 3);
    fake_shelf_work(&world.shelf, SIZE_MAX);
    start(&world);
    assert_int_equal(store_unassigned(world.store), 0);
    assert_int_equal(world.loaded.keys, 0);
    store_tick(world.store, 1 * S);
    store_tick(world.store, 10 * S);
    work_disk(&world, SIZE_MAX);
    assert_int_equal(world.shelf.item_count, 0);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ours_is_usable_when_both_copies_are_gone_in_either_order),
        cmocka_unit_test(test_the_peers_word_about_what_was_not_asked_for_opens_nothing),
        cmocka_unit_test(test_the_peer_may_cut_only_from_what_has_left_the_shelf),
        cmocka_unit_test(test_a_full_shelf_delays_opening_and_costs_nothing),
        cmocka_unit_test(test_a_crash_keeps_what_rests_and_says_what_was_open),
        cmocka_unit_test(test_what_was_delivered_is_not_said_to_be_lost),
        cmocka_unit_test(test_a_clean_end_puts_back_what_was_not_used),
        cmocka_unit_test(test_a_key_that_rests_is_delivered_when_its_copy_is_gone),
        cmocka_unit_test(test_a_key_for_several_rests_with_those_who_have_not_had_it),
        cmocka_unit_test(test_what_expires_at_rest_leaves_the_shelf),
        cmocka_unit_test(test_what_has_no_twin_any_more_is_burnt),
        cmocka_unit_test(test_an_item_that_cannot_be_read_is_left_out_and_erased),
    };

    return RUN_TESTS(tests);
}
