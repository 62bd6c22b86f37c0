/* SPDX-License-Identifier: Apache-2.0 */
/* kme/seal.h: what is sealed opens only as it was sealed, and which key files are refused. */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include "kme/seal.h"
#include "tests/unit/temp.h"

enum { LENGTH = 100 };

static const uint8_t salt[SEAL_SALT_BYTES] = "a salt", other_salt[SEAL_SALT_BYTES] = "another";
static struct temp folder;

static int make_folder(void **state)
{
    (void)state;
    temp_make(&folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    temp_remove(&folder);
    return 0;
}

static struct sealer *sealer(uint8_t key_octet, const uint8_t *with_salt)
{
    struct secret *key = secret_new(SEAL_KEY_FILE_BYTES);
    struct status status = STATUS_INIT;
    struct sealer *made;

    assert_non_null(key);
    memset(key->bytes, key_octet, key->size_bytes);
    made = sealer_new(NULL, key, with_salt, &status);
    assert_non_null(made);
    secret_free(key);
    return made;
}

/* From another implementation of the layout (HKDF and GHASH in Python, AES of another OpenSSL):
 * key file 32 times 01, salt "a salt", about "about", octets 00 01 … 0f, nonce 0. */
static void test_a_vector(void **state)
{
    static const uint8_t expected[16 + SEAL_OVERHEAD_BYTES] = {
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf5, 0x5f, 0xf1, 0x06, 0xff, 0xb3,
        0x59, 0xd2, 0x06, 0x24, 0x38, 0xe1, 0x86, 0x4e, 0xc7, 0x91, 0x24, 0xd2, 0x77, 0x8e,
        0xbe, 0xf3, 0xd8, 0x50, 0xce, 0xf2, 0xd2, 0x82, 0x00, 0x3e, 0x27, 0x74};
    struct sealer *one = sealer(1, salt);
    struct status status = STATUS_INIT;
    uint8_t octets[16], sealed[sizeof(expected)];

    (void)state;
    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)i;
    assert_true(sealer_seal(one, "about", 5, octets, sizeof(octets), sealed, &status));
    assert_memory_equal(sealed, expected, sizeof(expected));
    sealer_free(one);
}

static void test_what_is_sealed_opens_again(void **state)
{
    struct sealer *one = sealer(1, salt), *same = sealer(1, salt);
    struct status status = STATUS_INIT;
    uint8_t octets[LENGTH], sealed[LENGTH + SEAL_OVERHEAD_BYTES], opened[LENGTH];

    (void)state;
    memset(octets, 7, sizeof(octets));
    for (size_t length = 0; length <= LENGTH; length++) {
        assert_true(sealer_seal(one, "about", 5, octets, length, sealed, &status));
        memset(opened, 0, sizeof(opened));
        assert_true(sealer_open(same, "about", 5, sealed, length + SEAL_OVERHEAD_BYTES, opened));
        assert_memory_equal(opened, octets, length);
    }
    sealer_free(one);
    sealer_free(same);
}

static void test_every_change_is_seen(void **state)
{
    struct sealer *one = sealer(1, salt), *salted = sealer(1, other_salt), *keyed = sealer(2, salt);
    struct status status = STATUS_INIT;
    uint8_t octets[LENGTH] = {1}, sealed[LENGTH + SEAL_OVERHEAD_BYTES], opened[LENGTH];

    (void)state;
    assert_true(sealer_seal(one, "about", 5, octets, LENGTH, sealed, &status));
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 0x10;
        memset(opened, 9, sizeof(opened));
        assert_false(sealer_open(one, "about", 5, sealed, sizeof(sealed), opened));
        assert_true(is_zero(opened, LENGTH));
        sealed[i] ^= 0x10;
    }
    for (size_t length = 0; length < sizeof(sealed); length++)
        assert_false(sealer_open(one, "about", 5, sealed, length, opened));
    assert_false(sealer_open(one, "abouT", 5, sealed, sizeof(sealed), opened));
    assert_false(sealer_open(one, "about", 4, sealed, sizeof(sealed), opened));
    assert_false(sealer_open(salted, "about", 5, sealed, sizeof(sealed), opened));
    assert_false(sealer_open(keyed, "about", 5, sealed, sizeof(sealed), opened));
    assert_true(sealer_open(one, "about", 5, sealed, sizeof(sealed), opened));
    sealer_free(one);
    sealer_free(salted);
    sealer_free(keyed);
}

static void test_the_same_octets_never_look_the_same(void **state)
{
    enum { TIMES = 300 };
    struct sealer *one = sealer(1, salt);
    struct status status = STATUS_INIT;
    uint8_t octets[LENGTH] = {0}, sealed[TIMES][LENGTH + SEAL_OVERHEAD_BYTES];

    (void)state;
    for (int i = 0; i < TIMES; i++) {
        assert_true(sealer_seal(one, "", 0, octets, LENGTH, sealed[i], &status));
        for (int j = 0; j < i; j++) {
            assert_memory_not_equal(sealed[i], sealed[j], 8);
            assert_memory_not_equal(sealed[i] + 8, sealed[j] + 8, 16);
        }
    }
    sealer_free(one);
}

static void assert_key_refused(const char *name, const char *says)
{
    struct status status = STATUS_INIT;
    char path[TEMP_PATH_BYTES];

    temp_path(&folder, name, path);
    assert_null(seal_read_key_file(path, &status));
    assert_failed(&status, OUTCOME_CONFIG, says);
    assert_contains(status.text, path);
}

static void test_key_files(void **state)
{
    struct status status = STATUS_INIT;
    char path[TEMP_PATH_BYTES];
    uint8_t octets[SEAL_KEY_FILE_BYTES + 1];
    struct secret *key;

    (void)state;
    assert_int_equal(RAND_bytes(octets, sizeof(octets)), 1);
    temp_write(&folder, "good", octets, SEAL_KEY_FILE_BYTES);
    temp_path(&folder, "good", path);
    assert_int_equal(chmod(path, 0644), 0);
    assert_key_refused("good", "is open to others (mode 0644): chmod 600");
    assert_int_equal(chmod(path, 0600), 0);
    key = seal_read_key_file(path, &status);
    assert_non_null(key);
    assert_int_equal(key->size_bytes, SEAL_KEY_FILE_BYTES);
    assert_memory_equal(key->bytes, octets, SEAL_KEY_FILE_BYTES);
    secret_free(key);
    assert_key_refused("none", "openssl rand -out");
    for (size_t length = 0; length <= sizeof(octets); length++) {
        if (length == SEAL_KEY_FILE_BYTES)
            continue;
        temp_write(&folder, "odd", octets, length);
        temp_path(&folder, "odd", path);
        assert_int_equal(chmod(path, 0600), 0);
        assert_key_refused("odd", "octets instead of 32");
    }
    temp_path(&folder, "folder", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_key_refused("folder", "is not a regular file");
    temp_path(&folder, "pipe", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_key_refused("pipe", "is not a regular file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_vector),
        cmocka_unit_test(test_what_is_sealed_opens_again),
        cmocka_unit_test(test_every_change_is_seen),
        cmocka_unit_test(test_the_same_octets_never_look_the_same),
        cmocka_unit_test(test_key_files),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
