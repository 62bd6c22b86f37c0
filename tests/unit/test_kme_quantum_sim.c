/* SPDX-License-Identifier: Apache-2.0 */
/* kme/quantum_sim.h: the rate over time, its bounds, and the form of what is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "kme/quantum_sim.h"

#define MS INT64_C(1000000)
#define START (1000 * MS)

static void test_the_rate_is_exact_over_uneven_ticks(void **state)
{
    struct quantum_sim sim = {0, 0};
    int64_t now = START, step = 3 * MS;
    size_t total = quantum_sim_due_blocks(&sim, now, 1000000, 1000);

    (void)state;
    assert_int_equal(total, 0);
    while (now < START + 10000 * MS) {
        now += step;
        step = step == 3 * MS ? 7 * MS : 3 * MS;
        total += quantum_sim_due_blocks(&sim, now, 1000000, 1000);
    }
    assert_int_equal(total, (size_t)((now - START) / MS) * 1000 / BLOCK_BITS);
}

static void test_no_rate_gives_nothing(void **state)
{
    struct quantum_sim sim = {0, 0};

    (void)state;
    for (int64_t now = START; now < START + 5000 * MS; now += 10 * MS)
        assert_int_equal(quantum_sim_due_blocks(&sim, now, 0, 1000), 0);
}

static void test_a_full_store_does_not_save_up_credit(void **state)
{
    struct quantum_sim sim = {0, 0};

    (void)state;
    for (int64_t now = START; now < START + 60000 * MS; now += 10 * MS)
        assert_int_equal(quantum_sim_due_blocks(&sim, now, 1000000, 0), 0);
    assert_in_range(quantum_sim_due_blocks(&sim, START + 60000 * MS, 1000000, 100000), 1,
                    1000000 / 10 / BLOCK_BITS + 1);
}

static void test_a_stopped_clock_and_the_highest_rate_do_not_overflow(void **state)
{
    struct quantum_sim sim = {0, 0};

    (void)state;
    quantum_sim_due_blocks(&sim, START, 1000000000, 0);
    assert_in_range(quantum_sim_due_blocks(&sim, START + 86400000 * MS, 1000000000, SIZE_MAX), 1,
                    1000000000 / 10 / BLOCK_BITS + 1);
}

static void test_blocks_are_random_and_their_ids_are_uuid_4(void **state)
{
    enum { COUNT = 64 };
    struct block blocks[COUNT];

    (void)state;
    memset(blocks, 0, sizeof(blocks));
    assert_true(quantum_sim_make(NULL, blocks, COUNT));
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(blocks[i].id.octets[6] >> 4, 4);
        assert_int_equal(blocks[i].id.octets[8] >> 6, 2);
        for (size_t j = 0; j < i; j++) {
            assert_false(key_id_equal(&blocks[i].id, &blocks[j].id));
            assert_memory_not_equal(blocks[i].octets, blocks[j].octets, BLOCK_BYTES);
        }
    }
}

/* What the generator of this thread holds would otherwise look like a leak. */
static int end_generator(void **state)
{
    (void)state;
    OPENSSL_thread_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rate_is_exact_over_uneven_ticks),
        cmocka_unit_test(test_no_rate_gives_nothing),
        cmocka_unit_test(test_a_full_store_does_not_save_up_credit),
        cmocka_unit_test(test_a_stopped_clock_and_the_highest_rate_do_not_overflow),
        cmocka_unit_test(test_blocks_are_random_and_their_ids_are_uuid_4),
    };

    return cmocka_run_group_tests(tests, NULL, end_generator);
}
