/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

enum { KEY_BYTES = 32, NONCE_BYTES = 12, COUNT_BYTES = 8, TAG_BYTES = 16 };

static const char purpose[] = "qkd-kme store, version 1";

struct sealer {
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *context;
    uint8_t key[KEY_BYTES];
    uint64_t count; /* of nonces used */
};

static bool check_key_file(int fd, const char *path, struct status *status)
{
    struct stat stat;

    if (fstat(fd, &stat) != 0)
        return status_fail(status, OUTCOME_CONFIG, "the key file %s: %s", path, strerror(errno));
    if (!S_ISREG(stat.st_mode))
        return status_fail(status, OUTCOME_CONFIG, "the key file %s is not a regular file", path);
    if ((stat.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return status_fail(status, OUTCOME_CONFIG,
                           "the key file %s is open to others (mode %04o): chmod 600 it", path,
                           (unsigned)stat.st_mode & 07777);
    if (stat.st_size != SEAL_KEY_FILE_BYTES)
        return status_fail(status, OUTCOME_CONFIG,
                           "the key file %s has %lld octets instead of %d: bring back the one that "
                           "the store was sealed with",
                           path, (long long)stat.st_size, SEAL_KEY_FILE_BYTES);
    return true;
}

struct secret *seal_read_key_file(const char *path, struct status *status)
{
    struct secret *key = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        if (errno == ENOENT)
            status_fail(status, OUTCOME_CONFIG,
                        "the key file %s is missing: bring back the one that the store was sealed "
                        "with, or for a new store make it with 'openssl rand -out %s %d' and "
                        "chmod 600",
                        path, path, SEAL_KEY_FILE_BYTES);
        else
            status_fail(status, OUTCOME_CONFIG, "cannot open the key file %s: %s", path,
                        strerror(errno));
        return NULL;
    }
    if (check_key_file(fd, path, status)) {
        key = secret_new(SEAL_KEY_FILE_BYTES);
        if (key == NULL)
            status_fail(status, OUTCOME_INTERNAL, "out of memory for a key");
        else if (read(fd, key->bytes, SEAL_KEY_FILE_BYTES) != SEAL_KEY_FILE_BYTES)
            status_fail(status, OUTCOME_CONFIG, "cannot read the key file %s", path);
    }
    close(fd);
    if (status->outcome == OUTCOME_OK)
        return key;
    secret_free(key);
    return NULL;
}

/* OpenSSL's parameters take pointers to what they do not change. */
static void *unchanged(const void *octets)
{
    union {
        const void *constant;
        void *pointer;
    } same = {octets};

    return same.pointer;
}

static bool derive(OSSL_LIB_CTX *libctx, const struct secret *key, const uint8_t *salt,
                   uint8_t out[static KEY_BYTES])
{
    static const char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, unchanged(digest), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, unchanged(key->bytes),
                                          key->size_bytes),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, unchanged(salt), SEAL_SALT_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, unchanged(purpose),
                                          sizeof(purpose) - 1),
        OSSL_PARAM_construct_end()};
    EVP_KDF *kdf = EVP_KDF_fetch(libctx, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    bool done = context != NULL && EVP_KDF_derive(context, out, KEY_BYTES, params) == 1;

    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return done;
}

struct sealer *sealer_new(OSSL_LIB_CTX *libctx, const struct secret *key,
                          const uint8_t salt[static SEAL_SALT_BYTES], struct status *status)
{
    struct sealer *sealer = OPENSSL_zalloc(sizeof(*sealer));

    if (sealer != NULL) {
        sealer->cipher = EVP_CIPHER_fetch(libctx, "AES-256-GCM", NULL);
        sealer->context = EVP_CIPHER_CTX_new();
        if (sealer->cipher != NULL && sealer->context != NULL &&
            derive(libctx, key, salt, sealer->key))
            return sealer;
    }
    sealer_free(sealer);
    status_fail(status, OUTCOME_INTERNAL, "OpenSSL cannot make a key for the store");
    return NULL;
}

void sealer_free(struct sealer *sealer)
{
    if (sealer == NULL)
        return;
    EVP_CIPHER_CTX_free(sealer->context);
    EVP_CIPHER_free(sealer->cipher);
    OPENSSL_clear_free(sealer, sizeof(*sealer));
}

static void make_nonce(const uint8_t count[static COUNT_BYTES], uint8_t nonce[static NONCE_BYTES])
{
    memset(nonce, 0, NONCE_BYTES);
    memcpy(nonce + NONCE_BYTES - COUNT_BYTES, count, COUNT_BYTES);
}

static void put_count(uint64_t count, uint8_t out[static COUNT_BYTES])
{
    for (int i = COUNT_BYTES - 1; i >= 0; i--) {
        out[i] = (uint8_t)count;
        count >>= 8;
    }
}

static bool encrypt(struct sealer *sealer, const uint8_t *nonce, const void *about,
                    size_t about_length, const void *octets, size_t length, uint8_t *out)
{
    EVP_CIPHER_CTX *context = sealer->context;
    int written = 0, rest = 0;

    return EVP_EncryptInit_ex2(context, sealer->cipher, sealer->key, nonce, NULL) == 1 &&
           EVP_EncryptUpdate(context, NULL, &rest, about, (int)about_length) == 1 &&
           EVP_EncryptUpdate(context, out, &written, octets, (int)length) == 1 &&
           EVP_EncryptFinal_ex(context, out + written, &rest) == 1 &&
           (size_t)written + (size_t)rest == length &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, out + length) == 1;
}

bool sealer_seal(struct sealer *sealer, const void *about, size_t about_length, const void *octets,
                 size_t length, uint8_t *sealed, struct status *status)
{
    uint8_t nonce[NONCE_BYTES];
    bool done;

    if (sealer->count == UINT64_MAX || length > INT_MAX - SEAL_OVERHEAD_BYTES ||
        about_length > INT_MAX)
        return status_fail(status, OUTCOME_INTERNAL, "too much for one key of the store");
    put_count(sealer->count++, sealed);
    make_nonce(sealed, nonce);
    done = encrypt(sealer, nonce, about, about_length, octets, length, sealed + COUNT_BYTES);
    EVP_CIPHER_CTX_reset(sealer->context);
    return done || status_fail(status, OUTCOME_INTERNAL, "OpenSSL cannot seal for the store");
}

static bool decrypt(struct sealer *sealer, const uint8_t *nonce, const void *about,
                    size_t about_length, const uint8_t *text, size_t length, uint8_t *out)
{
    EVP_CIPHER_CTX *context = sealer->context;
    uint8_t tag[TAG_BYTES];
    int written = 0, rest = 0;

    memcpy(tag, text + length, TAG_BYTES);
    return EVP_DecryptInit_ex2(context, sealer->cipher, sealer->key, nonce, NULL) == 1 &&
           EVP_DecryptUpdate(context, NULL, &rest, about, (int)about_length) == 1 &&
           EVP_DecryptUpdate(context, out, &written, text, (int)length) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_DecryptFinal_ex(context, out + written, &rest) == 1;
}

bool sealer_open(struct sealer *sealer, const void *about, size_t about_length,
                 const uint8_t *sealed, size_t length, uint8_t *octets)
{
    uint8_t nonce[NONCE_BYTES];
    bool done;

    if (length < SEAL_OVERHEAD_BYTES || length > INT_MAX || about_length > INT_MAX)
        return false;
    length -= SEAL_OVERHEAD_BYTES;
    make_nonce(sealed, nonce);
    done = decrypt(sealer, nonce, about, about_length, sealed + COUNT_BYTES, length, octets);
    EVP_CIPHER_CTX_reset(sealer->context);
    if (!done)
        OPENSSL_cleanse(octets, length);
    return done;
}
