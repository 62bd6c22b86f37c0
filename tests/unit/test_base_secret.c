/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "base/secret.h"

static void a_new_secret_is_zeroed_and_has_its_size(void **state)
{
    static const size_t sizes[] = {1, 31, 32, 33, SECRET_MAX_BYTES};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct secret *secret = secret_new(sizes[i]);

        assert_non_null(secret);
        assert_int_equal(secret->size_bytes, sizes[i]);
        assert_true(is_zero(secret->bytes, sizes[i]));
        secret_free(secret);
    }
}

static void sizes_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_null(secret_new(0));
    assert_null(secret_new(SECRET_MAX_BYTES + 1));
    assert_null(secret_new(SIZE_MAX));
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    secret_free(NULL);
}

static void secrets_are_equal_only_with_the_same_octets_and_size(void **state)
{
    struct secret *one = secret_new(32), *other = secret_new(32), *shorter = secret_new(31);

    (void)state;
    assert_true(secret_equal(one, other));
    assert_false(secret_equal(one, shorter));
    for (size_t i = 0; i < 32; i++) {
        other->bytes[i] ^= 0x80;
        assert_false(secret_equal(one, other));
        other->bytes[i] ^= 0x80;
    }
    secret_free(one);
    secret_free(other);
    secret_free(shorter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_secret_is_zeroed_and_has_its_size),
        cmocka_unit_test(sizes_out_of_range_are_refused),
        cmocka_unit_test(freeing_nothing_is_allowed),
        cmocka_unit_test(secrets_are_equal_only_with_the_same_octets_and_size),
    };

    return RUN_TESTS(tests);
}
