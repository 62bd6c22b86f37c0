/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/in_child.h"

#include <sched.h>
#include <stdatomic.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "keys/key_pool.h"

enum { ITEMS = 100000, CAPACITY = 64 };

static const int64_t MAX_AGE_NS = 1000;

static atomic_bool no_memory;

static void *failing_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return atomic_load(&no_memory) ? NULL : malloc(size);
}

static void *failing_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return atomic_load(&no_memory) ? NULL : realloc(memory, size);
}

static void plain_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

/* Octets that are never 0, and tell the number. */
static void write_key(struct secret *key, uint32_t number)
{
    for (size_t i = 0; i < key->size_bytes; i++)
        key->bytes[i] = (uint8_t)(0x80 | (number >> (i % 4 * 7)));
}

static struct ahead_key item_of(uint32_t number, int64_t reserved_ns)
{
    struct ahead_key item = {.ref = {KEY_REF_ETSI014, {{0}}, 7}, .member = 3};

    memcpy(item.ref.id.octets, &number, sizeof(number));
    item.reserved_ns = reserved_ns;
    item.key = secret_new(SOURCE_KEY_BYTES);
    write_key(item.key, number);
    return item;
}

static uint32_t number_of(const struct ahead_key *item)
{
    uint32_t number;

    memcpy(&number, item->ref.id.octets, sizeof(number));
    return number;
}

static bool put_number(struct key_pool *pool, uint32_t number, int64_t now_ns)
{
    struct ahead_key item = item_of(number, now_ns);
    bool ok = key_pool_put(pool, &item, now_ns);

    assert_null(item.key);
    return ok;
}

/* Whether what came out is whole; frees its key. */
static bool is_whole(struct ahead_key *item)
{
    struct ahead_key like = item_of(number_of(item), 0);
    bool whole = item->member == 3 && item->ref.index == 7 && item->key != NULL &&
                 secret_equal(item->key, like.key);

    secret_free(like.key);
    secret_free(item->key);
    item->key = NULL;
    return whole;
}

static void expect_next(struct key_pool *pool, uint32_t number, int64_t now_ns)
{
    struct ahead_key item;

    assert_int_equal(key_pool_take(pool, &item, now_ns), KEY_POOL_FOUND);
    assert_int_equal(number_of(&item), number);
    assert_true(is_whole(&item));
}

static void expect_counts(const struct key_pool *pool, uint64_t reserved, uint64_t used,
                          uint64_t too_old, uint64_t left)
{
    struct key_pool_counts counts;

    key_pool_count(pool, &counts);
    assert_int_equal(counts.reserved, reserved);
    assert_int_equal(counts.used, used);
    assert_int_equal(counts.too_old, too_old);
    assert_int_equal(counts.left, left);
    assert_int_equal(key_pool_level(pool), left);
}

static bool memory_is_zero(const struct key_pool *pool)
{
    size_t size_bytes;
    const uint8_t *memory = key_pool_memory(pool, &size_bytes);

    return is_zero(memory, size_bytes);
}

static void the_oldest_comes_first_and_leaves_no_octet(void **state)
{
    struct key_pool *pool = key_pool_new(4, MAX_AGE_NS);
    struct ahead_key item = {.member = 99};

    (void)state;
    for (uint32_t round = 0; round < 3; round++) {
        assert_true(put_number(pool, 1, 20) && put_number(pool, 2, 10) && put_number(pool, 3, 30));
        assert_false(memory_is_zero(pool));
        expect_next(pool, 2, 40);
        assert_true(put_number(pool, 4, 40));
        expect_next(pool, 1, 40);
        expect_next(pool, 3, 40);
        expect_next(pool, 4, 40);
        assert_true(memory_is_zero(pool));
    }
    assert_int_equal(key_pool_take(pool, &item, 40), KEY_POOL_EMPTY);
    assert_int_equal(item.member, 99);
    expect_counts(pool, 12, 12, 0, 0);
    key_pool_free(pool);
}

static void it_holds_no_more_than_its_capacity(void **state)
{
    struct key_pool *pool = key_pool_new(KEY_POOL_MAX, MAX_AGE_NS);

    (void)state;
    assert_null(key_pool_new(0, MAX_AGE_NS));
    assert_null(key_pool_new(KEY_POOL_MAX + 1, MAX_AGE_NS));
    for (uint32_t i = 0; i < KEY_POOL_MAX; i++)
        assert_true(put_number(pool, i, 0));
    assert_false(put_number(pool, KEY_POOL_MAX, 0));
    expect_next(pool, 0, 0);
    assert_true(put_number(pool, KEY_POOL_MAX, 1));
    for (uint32_t i = 1; i <= KEY_POOL_MAX; i++)
        expect_next(pool, i, 1);
    expect_counts(pool, KEY_POOL_MAX + 1, KEY_POOL_MAX + 1, 0, 0);
    key_pool_free(pool);
}

static void what_is_too_old_comes_out_without_its_key(void **state)
{
    struct key_pool *pool = key_pool_new(4, MAX_AGE_NS);
    struct ahead_key item = item_of(9, 0);

    (void)state;
    assert_false(key_pool_put(pool, &item, MAX_AGE_NS));
    assert_null(item.key);
    assert_true(put_number(pool, 1, 0) && put_number(pool, 2, 1));
    assert_int_equal(key_pool_take(pool, &item, MAX_AGE_NS), KEY_POOL_TOO_OLD);
    assert_int_equal(number_of(&item), 1);
    assert_null(item.key);
    expect_next(pool, 2, MAX_AGE_NS);
    assert_true(memory_is_zero(pool));
    expect_counts(pool, 2, 1, 1, 0);
    key_pool_free(pool);
}

static void a_reservation_may_have_no_key_yet_but_none_too_long(void **state)
{
    struct key_pool *pool = key_pool_new(4, MAX_AGE_NS);
    struct ahead_key item = item_of(1, 0);

    (void)state;
    secret_free(item.key);
    item.key = NULL;
    assert_true(key_pool_put(pool, &item, 0));
    assert_int_equal(key_pool_take(pool, &item, 0), KEY_POOL_FOUND);
    assert_null(item.key);
    item.key = secret_new(SOURCE_KEY_BYTES + 1);
    assert_false(key_pool_put(pool, &item, 0));
    assert_null(item.key);
    expect_counts(pool, 1, 1, 0, 0);
    key_pool_free(pool);
}

static void without_memory_keys_are_wiped_and_passed_over(void **state)
{
    struct key_pool *pool = key_pool_new(4, MAX_AGE_NS);
    struct ahead_key item = item_of(3, 3);

    (void)state;
    assert_true(put_number(pool, 1, 1) && put_number(pool, 2, 2));
    secret_free(item.key);
    item.key = NULL; /* needs no memory */
    assert_true(key_pool_put(pool, &item, 3));
    ERR_clear_error(); /* sets the queue up, which needs memory */
    atomic_store(&no_memory, true);
    assert_int_equal(key_pool_take(pool, &item, 4), KEY_POOL_FOUND);
    assert_int_equal(number_of(&item), 3);
    assert_int_equal(key_pool_take(pool, &item, 4), KEY_POOL_EMPTY);
    assert_int_equal(ERR_peek_error(), 0);
    assert_null(key_pool_new(4, MAX_AGE_NS));
    atomic_store(&no_memory, false);
    assert_true(memory_is_zero(pool));
    expect_counts(pool, 3, 1, 0, 0);
    key_pool_free(pool);
}

struct crowd {
    struct key_pool *pool;
    atomic_uint next;  /* number to put */
    atomic_uint taken; /* how many came out */
    atomic_uint broken;
    _Atomic uint8_t seen[ITEMS];
};

static void take_one(struct crowd *crowd)
{
    struct ahead_key item;
    uint32_t number;

    if (key_pool_take(crowd->pool, &item, 1) != KEY_POOL_FOUND) {
        sched_yield();
        return;
    }
    number = number_of(&item);
    if (number >= ITEMS || atomic_fetch_add(&crowd->seen[number], 1) != 0 || !is_whole(&item))
        atomic_fetch_add(&crowd->broken, 1);
    atomic_fetch_add(&crowd->taken, 1);
}

static void *put_and_take(void *argument)
{
    struct crowd *crowd = argument;

    while (atomic_load(&crowd->taken) < ITEMS) {
        uint32_t number = atomic_fetch_add(&crowd->next, 1);

        while (number < ITEMS) {
            struct ahead_key item = item_of(number, 0);

            if (key_pool_put(crowd->pool, &item, 0))
                break;
            take_one(crowd);
        }
        take_one(crowd);
    }
    return NULL;
}

static void of_many_threads_each_item_comes_out_once(void **state)
{
    static struct crowd crowd;

    (void)state;
    crowd.pool = key_pool_new(CAPACITY, MAX_AGE_NS);
    in_threads(put_and_take, &crowd);
    assert_int_equal(atomic_load(&crowd.taken), ITEMS);
    assert_int_equal(atomic_load(&crowd.broken), 0);
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(crowd.seen[i], 1);
    assert_true(memory_is_zero(crowd.pool));
    expect_counts(crowd.pool, ITEMS, ITEMS, 0, 0);
    key_pool_free(crowd.pool);
}

/* 0, or the number of the step that fails. */
static int child_of_a_full_pool(void *argument)
{
    struct key_pool *pool = argument;
    struct key_pool_counts counts;
    struct ahead_key item;

    key_pool_count(pool, &counts);
    if (key_pool_level(pool) != 0 || counts.reserved + counts.used + counts.left != 0)
        return 1;
    if (key_pool_take(pool, &item, 0) != KEY_POOL_EMPTY)
        return 2;
    for (uint32_t i = 100; i < 104; i++) {
        item = item_of(i, i);
        if (!key_pool_put(pool, &item, i))
            return 3;
    }
    item = item_of(104, 104);
    if (key_pool_put(pool, &item, 104))
        return 4;
    for (uint32_t i = 100; i < 104; i++)
        if (key_pool_take(pool, &item, 104) != KEY_POOL_FOUND || number_of(&item) != i ||
            !is_whole(&item))
            return 5;
    if (key_pool_take(pool, &item, 104) != KEY_POOL_EMPTY || !memory_is_zero(pool))
        return 6;
    key_pool_free(pool);
    return 0;
}

static void a_forked_child_finds_it_empty_and_its_parent_keeps_all(void **state)
{
    struct key_pool *pool = key_pool_new(4, MAX_AGE_NS);

    (void)state;
    for (uint32_t i = 0; i < 4; i++)
        assert_true(put_number(pool, i, i));
    assert_int_equal(in_child(child_of_a_full_pool, pool), 0);
    for (uint32_t i = 0; i < 4; i++)
        expect_next(pool, i, 4);
    key_pool_free(pool);
}

static void what_is_too_old_is_not_fresh(void **state)
{
    struct key_pool *pool = key_pool_new(4, MAX_AGE_NS);

    (void)state;
    assert_false(key_pool_has_fresh(pool, 0));
    assert_true(put_number(pool, 1, 0) && put_number(pool, 2, 10));
    assert_true(key_pool_has_fresh(pool, MAX_AGE_NS));
    assert_false(key_pool_has_fresh(pool, MAX_AGE_NS + 10));
    assert_int_equal(key_pool_level(pool), 2);
    key_pool_free(pool);
}

static int memory_holds_something(void *pool)
{
    return memory_is_zero(pool) ? 0 : 1;
}

/* Linux has this since 4.14. */
static void a_forked_child_has_none_of_its_parents_octets(void **state)
{
    struct key_pool *pool = key_pool_new(KEY_POOL_MAX, MAX_AGE_NS);

    (void)state;
    for (uint32_t i = 0; i < KEY_POOL_MAX; i++)
        assert_true(put_number(pool, i, 0));
    assert_int_equal(memory_holds_something(pool), 1);
    assert_int_equal(in_child(memory_holds_something, pool), 0);
    assert_int_equal(memory_holds_something(pool), 1);
    key_pool_free(pool);
}

/* The flags that the kernel shows for the mapping that holds `address`. */
static void read_vm_flags(const void *address, char *flags, size_t size)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    unsigned long from, to;
    bool inside = false;
    char line[512];

    assert_non_null(file);
    flags[0] = '\0';
    while (flags[0] == '\0' && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = from <= (unsigned long)address && (unsigned long)address < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            snprintf(flags, size, "%s", line);
    }
    fclose(file);
}

static void a_core_dump_and_a_child_are_kept_from_its_memory(void **state)
{
    struct key_pool *pool = key_pool_new(4, MAX_AGE_NS);
    size_t size_bytes;
    char flags[512];

    (void)state;
    read_vm_flags(key_pool_memory(pool, &size_bytes), flags, sizeof(flags));
    assert_contains(flags, " dd");
    assert_contains(flags, " wf");
    key_pool_free(pool);
}

/* Not where the system refuses, nor with AddressSanitizer, which does not pass mlock on. */
static bool is_locked(const struct key_pool *pool)
{
    size_t size_bytes;
    char flags[512];

    read_vm_flags(key_pool_memory(pool, &size_bytes), flags, sizeof(flags));
    return strstr(flags, " lo") != NULL;
}

static int locks_what_it_fills(void *argument)
{
    struct key_pool *pool = argument;
    struct ahead_key item = item_of(1, 0);

    if (is_locked(pool) || !key_pool_put(pool, &item, 0))
        return 1;
    return is_locked(pool) ? 0 : 2;
}

static void a_forked_child_keeps_its_own_keys_out_of_swap_too(void **state)
{
    struct key_pool *pool = key_pool_new(4, MAX_AGE_NS);
    bool can_lock;

    (void)state;
    assert_true(put_number(pool, 1, 0));
    can_lock = is_locked(pool);
    if (can_lock)
        assert_int_equal(in_child(locks_what_it_fills, pool), 0);
    key_pool_free(pool);
    if (!can_lock) {
        print_message("skipped: no memory can be locked here\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_comes_first_and_leaves_no_octet),
        cmocka_unit_test(it_holds_no_more_than_its_capacity),
        cmocka_unit_test(what_is_too_old_comes_out_without_its_key),
        cmocka_unit_test(a_reservation_may_have_no_key_yet_but_none_too_long),
        cmocka_unit_test(without_memory_keys_are_wiped_and_passed_over),
        cmocka_unit_test(of_many_threads_each_item_comes_out_once),
        cmocka_unit_test(a_forked_child_finds_it_empty_and_its_parent_keeps_all),
        cmocka_unit_test(a_forked_child_has_none_of_its_parents_octets),
        cmocka_unit_test(a_forked_child_keeps_its_own_keys_out_of_swap_too),
        cmocka_unit_test(what_is_too_old_is_not_fresh),
        cmocka_unit_test(a_core_dump_and_a_child_are_kept_from_its_memory),
    };

    if (CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free) != 1)
        return 1;
    return RUN_TESTS(tests);
}
