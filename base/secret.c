/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <openssl/crypto.h>

struct secret *secret_new(size_t size_bytes)
{
    struct secret *secret;

    if (size_bytes == 0 || size_bytes > SECRET_MAX_BYTES)
        return NULL;
    secret = OPENSSL_secure_zalloc(sizeof(*secret) + size_bytes);
    if (secret != NULL)
        secret->size_bytes = size_bytes;
    return secret;
}

void secret_free(struct secret *secret)
{
    if (secret != NULL)
        OPENSSL_secure_clear_free(secret, sizeof(*secret) + secret->size_bytes);
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a->size_bytes == b->size_bytes && CRYPTO_memcmp(a->bytes, b->bytes, a->size_bytes) == 0;
}
