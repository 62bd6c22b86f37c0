/* SPDX-License-Identifier: Apache-2.0 */
/* kme/store.h: who may cut keys from which block, one delivery, expiry, loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kme/id_table.h"
#include "kme/store.h"

#define S INT64_C(1000000000)

/* Block number n: its ID and octets are n. */
static struct block block_of(uint32_t n)
{
    struct block block;

    memset(&block, 0, sizeof(block));
    memcpy(block.id.octets, &n, sizeof(n));
    memset(block.octets, (int)n, sizeof(block.octets));
    return block;
}

/* A segment of one block, born open. */
static bool try_add(struct store *store, uint32_t n, enum block_owner owner, uint64_t sequence)
{
    struct block block = block_of(n);
    struct segment_head head = {block.id, owner, false};

    return store_add(store, &head, &block, 1, sequence);
}

static void add(struct store *store, uint32_t n, enum block_owner owner, uint64_t sequence)
{
    assert_true(try_add(store, n, owner, sequence));
}

static struct assignment asked(uint32_t size_bits, uint32_t lifetime_s)
{
    struct assignment assignment;

    memset(&assignment, 0, sizeof(assignment));
    assignment.size_bits = size_bits;
    assignment.lifetime_s = lifetime_s;
    strcpy(assignment.initiator, "alice");
    assert_true(names_add(&assignment.responders, "bob"));
    return assignment;
}

/* The peer cut a key from its blocks first to first + count - 1. */
static struct assignment assigned(uint32_t first, size_t count, uint32_t size_bits)
{
    struct assignment assignment = asked(size_bits, 10);

    assignment.block_count = count;
    for (uint32_t i = 0; i < count; i++)
        assignment.blocks[i] = block_of(first + i).id;
    assignment.key_id = assignment.blocks[0];
    return assignment;
}

static struct store *new_store(void)
{
    struct store *store = store_new(NULL, "kme-x");

    assert_non_null(store);
    return store;
}

static bool assign(struct store *store, const struct assignment *assignment)
{
    struct status status = STATUS_INIT;
    uint64_t displaced_bits;

    return store_assign(store, assignment, 0, &displaced_bits, &status);
}

static void test_both_ends_cut_the_same_key(void **state)
{
    struct store *ours = new_store(), *theirs = new_store();
    struct assignment assignment = asked(320, 10);
    struct status status = STATUS_INIT;
    struct secret *here = NULL, *there;

    (void)state;
    for (uint32_t n = 1; n <= 3; n++) {
        add(ours, n, BLOCK_OURS, 0);
        add(theirs, n, BLOCK_PEERS, 0);
    }
    assert_true(store_reserve(ours, &assignment, 0, &here, &status));
    assert_int_equal(assignment.block_count, 2);
    assert_true(key_id_equal(&assignment.key_id, &assignment.blocks[0]));
    assert_true(assign(theirs, &assignment));
    assert_int_equal(store_look(theirs, &assignment.key_id, "bob", "alice", 0), CLAIM_READY);
    there = store_claim(theirs, &assignment.key_id, "bob");
    assert_non_null(there);
    assert_int_equal(here->size_bytes, 40);
    assert_true(secret_equal(here, there));
    assert_int_equal(store_usable(ours, BLOCK_OURS), 1);
    assert_int_equal(store_usable(theirs, BLOCK_PEERS), 1);
    secret_free(here);
    secret_free(there);
    store_free(ours);
    store_free(theirs);
}

static void test_a_key_is_claimed_once(void **state)
{
    struct store *store = new_store();
    struct assignment assignment = assigned(1, 1, 256);
    struct secret *key;

    (void)state;
    add(store, 1, BLOCK_PEERS, 0);
    assert_true(assign(store, &assignment));
    key = store_claim(store, &assignment.key_id, "bob");
    assert_non_null(key);
    assert_null(store_claim(store, &assignment.key_id, "bob"));
    assert_int_equal(store_look(store, &assignment.key_id, "bob", "alice", 0), CLAIM_UNKNOWN);
    assert_false(assign(store, &assignment));
    secret_free(key);
    store_free(store);
}

static void test_looking_tells_callers_apart(void **state)
{
    struct store *store = new_store();
    struct assignment assignment = assigned(1, 1, 256);
    struct key_id expected = block_of(2).id, own = block_of(3).id, never = block_of(4).id;

    (void)state;
    add(store, 1, BLOCK_PEERS, 0);
    add(store, 2, BLOCK_PEERS, 0);
    add(store, 3, BLOCK_OURS, 0);
    assert_true(assign(store, &assignment));
    assert_int_equal(store_look(store, &assignment.key_id, "bob", "alice", 0), CLAIM_READY);
    assert_int_equal(store_look(store, &assignment.key_id, "bob", "eve", 0), CLAIM_UNKNOWN);
    assert_int_equal(store_look(store, &assignment.key_id, "carol", "alice", 0),
                     CLAIM_UNAUTHORISED);
    assert_int_equal(store_look(store, &expected, "bob", "alice", 0), CLAIM_EXPECTED);
    assert_int_equal(store_look(store, &own, "bob", "alice", 0), CLAIM_UNKNOWN);
    assert_int_equal(store_look(store, &never, "bob", "alice", 0), CLAIM_UNKNOWN);
    store_free(store);
}

static void test_the_initiators_end_knows_its_key_but_has_it_no_more(void **state)
{
    struct store *store = new_store();
    struct assignment assignment = asked(256, 10);
    struct status status = STATUS_INIT;
    struct secret *key = NULL;

    (void)state;
    add(store, 1, BLOCK_OURS, 0);
    assert_true(store_reserve(store, &assignment, 0, &key, &status));
    assert_int_equal(store_look(store, &assignment.key_id, "alice", "bob", 0), CLAIM_UNAUTHORISED);
    assert_null(store_claim(store, &assignment.key_id, "bob"));
    assert_int_equal(store_expire(store, 10 * S), 0);
    assert_int_equal(store_look(store, &assignment.key_id, "alice", "bob", 0), CLAIM_UNKNOWN);
    secret_free(key);
    store_free(store);
}

static void test_blocks_of_the_peer_and_pending_ones_are_not_reserved(void **state)
{
    struct store *store = new_store();
    struct assignment assignment = asked(256, 10);
    struct status status = STATUS_INIT;
    struct secret *key = NULL;

    (void)state;
    add(store, 1, BLOCK_PEERS, 0);
    add(store, 2, BLOCK_OURS, 1);
    assert_false(store_reserve(store, &assignment, 0, &key, &status));
    assert_int_equal(status.outcome, OUTCOME_EXHAUSTED);
    assert_null(key);
    assert_int_equal(store_confirm(store, 1), 1);
    status_clear(&status);
    assert_true(store_reserve(store, &assignment, 0, &key, &status));
    assert_int_equal(key->bytes[0], 2);
    secret_free(key);
    store_free(store);
}

static void test_confirming_stops_at_the_sequence_when_one_was_assigned_meanwhile(void **state)
{
    struct store *store = new_store();
    struct assignment assignment = assigned(2, 1, 256);

    (void)state;
    add(store, 1, BLOCK_OURS, 1);
    add(store, 2, BLOCK_PEERS, 2);
    add(store, 3, BLOCK_OURS, 3);
    assert_true(assign(store, &assignment));
    assert_int_equal(store_confirm(store, 2), 1);
    assert_int_equal(store_usable(store, BLOCK_OURS), 1);
    assert_int_equal(store_drop_pending(store), 1);
    assert_int_equal(store_usable(store, BLOCK_OURS), 1);
    store_free(store);
}

static void test_a_bad_assignment_takes_nothing(void **state)
{
    struct store *store = new_store();
    struct assignment ours = assigned(1, 1, 256), half = assigned(2, 2, 512),
                      twice = assigned(2, 2, 512), foreign_id = assigned(2, 1, 256),
                      short_one = assigned(2, 1, 512);

    (void)state;
    add(store, 1, BLOCK_OURS, 0);
    add(store, 2, BLOCK_PEERS, 0);
    twice.blocks[1] = twice.blocks[0];
    foreign_id.key_id.octets[15] ^= 1;
    assert_false(assign(store, &ours));
    assert_false(assign(store, &half));
    assert_false(assign(store, &twice));
    assert_false(assign(store, &foreign_id));
    assert_false(assign(store, &short_one));
    assert_int_equal(store_usable(store, BLOCK_OURS), 1);
    assert_int_equal(store_usable(store, BLOCK_PEERS), 1);
    store_free(store);
}

static void test_an_expired_key_is_not_ready_and_counts_as_lost(void **state)
{
    struct store *store = new_store();
    struct assignment assignment = assigned(1, 2, 320);

    (void)state;
    add(store, 1, BLOCK_PEERS, 0);
    add(store, 2, BLOCK_PEERS, 0);
    assert_true(assign(store, &assignment));
    assert_int_equal(store_expire(store, 10 * S - 1), 0);
    assert_int_equal(store_look(store, &assignment.key_id, "bob", "alice", 10 * S - 1),
                     CLAIM_READY);
    assert_int_equal(store_look(store, &assignment.key_id, "bob", "alice", 10 * S), CLAIM_UNKNOWN);
    assert_int_equal(store_expire(store, 10 * S), 320);
    assert_null(store_claim(store, &assignment.key_id, "bob"));
    store_free(store);
}

static void test_a_known_id_is_not_added_again(void **state)
{
    struct store *store = new_store();
    struct assignment assignment = assigned(1, 1, 256);

    (void)state;
    assert_true(try_add(store, 1, BLOCK_PEERS, 0));
    assert_false(try_add(store, 1, BLOCK_PEERS, 0));
    assert_true(assign(store, &assignment));
    assert_false(try_add(store, 1, BLOCK_PEERS, 0));
    store_free(store);
}

static void test_dropping_keeps_keys_that_are_held(void **state)
{
    struct store *store = new_store();
    struct assignment assignment = assigned(1, 1, 256);
    size_t confirmed;

    (void)state;
    for (uint32_t n = 1; n <= 4; n++)
        add(store, n, n % 2 == 1 ? BLOCK_PEERS : BLOCK_OURS, n == 4 ? 1 : 0);
    assert_true(assign(store, &assignment));
    store_list_begin(store);
    assert_int_equal(store_reconcile(store, &confirmed), 3);
    assert_int_equal(confirmed, 0);
    assert_int_equal(store_unassigned(store), 0);
    assert_int_equal(store_look(store, &assignment.key_id, "bob", "alice", 0), CLAIM_READY);
    store_free(store);
}

static void test_unclaimed_keys_are_bounded_and_the_oldest_goes(void **state)
{
    struct store *store = new_store();
    struct status status = STATUS_INIT;
    uint64_t displaced_bits = 0;

    (void)state;
    for (uint32_t n = 1; n <= STORE_KEYS_MAX + 1; n++) {
        struct assignment assignment = assigned(n, 1, 128);

        add(store, n, BLOCK_PEERS, 0);
        assert_true(store_assign(store, &assignment, 0, &displaced_bits, &status));
        assert_int_equal(displaced_bits, n <= STORE_KEYS_MAX ? 0 : 128);
    }
    assert_int_equal(store_expire(store, 10 * S), (uint64_t)STORE_KEYS_MAX * 128);
    store_free(store);
}

static void test_both_ends_cut_the_same_chunk(void **state)
{
    struct store *ours = new_store(), *theirs = new_store();
    static struct cut cut;
    struct status status = STATUS_INIT;
    struct secret *here = NULL, *there = NULL;

    (void)state;
    for (uint32_t n = 1; n <= 3; n++) {
        add(ours, n, BLOCK_OURS, 0);
        add(theirs, n, BLOCK_PEERS, 0);
    }
    cut.size_bytes = 40;
    assert_true(store_cut_ours(ours, &cut, &here, &status));
    assert_int_equal(cut.block_count, 2);
    assert_true(store_cut_peers(theirs, &cut, &there, &status));
    assert_true(secret_equal(here, there));
    assert_int_equal(here->size_bytes, 40);
    assert_int_equal(here->bytes[0], 1);
    assert_int_equal(here->bytes[32], 2);
    secret_free(here);
    secret_free(there);
    assert_int_equal(store_usable(ours, BLOCK_OURS), 1);
    assert_int_equal(store_usable(theirs, BLOCK_PEERS), 1);
    assert_false(store_cut_peers(theirs, &cut, &there, &status)); /* they are gone */
    store_free(ours);
    store_free(theirs);
}

static void test_a_chunk_that_cannot_be_cut_takes_nothing(void **state)
{
    struct store *store = new_store();
    static struct cut cut;
    struct status status = STATUS_INIT;
    struct secret *key = NULL;

    (void)state;
    add(store, 1, BLOCK_OURS, 0);
    add(store, 2, BLOCK_OURS, 7); /* pending */
    add(store, 3, BLOCK_PEERS, 0);
    for (size_t i = 0; i < 2; i++) {
        static const uint32_t sizes[] = {0, 33};

        cut.size_bytes = sizes[i];
        assert_false(store_cut_ours(store, &cut, &key, &status));
        assert_int_equal(status.outcome, OUTCOME_EXHAUSTED);
    }
    status_clear(&status);
    cut.size_bytes = 64;
    cut.block_count = 2;
    cut.blocks[0] = cut.blocks[1] = block_of(3).id; /* twice */
    assert_false(store_cut_peers(store, &cut, &key, &status));
    cut.blocks[0] = block_of(1).id; /* not the peer's */
    assert_false(store_cut_peers(store, &cut, &key, &status));
    cut.block_count = 1; /* too few */
    assert_false(store_cut_peers(store, &cut, &key, &status));
    assert_int_equal(status.outcome, OUTCOME_PEER);
    assert_int_equal(store_usable(store, BLOCK_OURS), 1);
    assert_int_equal(store_usable(store, BLOCK_PEERS), 1);
    store_free(store);
}

/* Against a plain array, with every deletion order that a linear congruence makes. */
static void test_the_table_finds_exactly_what_is_in_it(void **state)
{
    enum { ITEMS = 3000 };
    static struct key_id items[ITEMS];
    static bool present[ITEMS];
    struct id_table table = {.slots = NULL};
    uint32_t random = 1;

    (void)state;
    for (uint32_t i = 0; i < ITEMS; i++)
        memcpy(items[i].octets, &i, sizeof(i));
    for (int step = 0; step < 40000; step++) {
        uint32_t i;

        random = random * 1664525 + 1013904223;
        i = (random >> 8) % ITEMS;
        if (present[i])
            assert_ptr_equal(id_table_take(&table, &items[i]), &items[i]);
        else
            assert_true(id_table_put(&table, &items[i]));
        present[i] = !present[i];
    }
    for (uint32_t i = 0; i < ITEMS; i++)
        assert_ptr_equal(id_table_get(&table, &items[i]), present[i] ? &items[i] : NULL);
    id_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ends_cut_the_same_key),
        cmocka_unit_test(test_a_key_is_claimed_once),
        cmocka_unit_test(test_looking_tells_callers_apart),
        cmocka_unit_test(test_the_initiators_end_knows_its_key_but_has_it_no_more),
        cmocka_unit_test(test_blocks_of_the_peer_and_pending_ones_are_not_reserved),
        cmocka_unit_test(test_confirming_stops_at_the_sequence_when_one_was_assigned_meanwhile),
        cmocka_unit_test(test_a_bad_assignment_takes_nothing),
        cmocka_unit_test(test_an_expired_key_is_not_ready_and_counts_as_lost),
        cmocka_unit_test(test_a_known_id_is_not_added_again),
        cmocka_unit_test(test_dropping_keeps_keys_that_are_held),
        cmocka_unit_test(test_unclaimed_keys_are_bounded_and_the_oldest_goes),
        cmocka_unit_test(test_both_ends_cut_the_same_chunk),
        cmocka_unit_test(test_a_chunk_that_cannot_be_cut_takes_nothing),
        cmocka_unit_test(test_the_table_finds_exactly_what_is_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
