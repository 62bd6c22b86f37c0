/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/inner.h"

#include <openssl/err.h>

#include "provider/inner_ecdh.h"

static bool ask_sizes(const struct inner_library *library, EVP_PKEY *key, struct inner_sizes *sizes)
{
    EVP_PKEY_CTX *ctx = inner_operation(library, key);
    bool ok =
        ctx != NULL && EVP_PKEY_encapsulate_init(ctx, NULL) > 0 &&
        EVP_PKEY_encapsulate(ctx, NULL, &sizes->ciphertext_bytes, NULL, &sizes->secret_bytes) > 0 &&
        sizes->ciphertext_bytes > 0 && sizes->secret_bytes > 0;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

bool inner_sizes(const struct inner_library *library, const struct group *group, EVP_PKEY *key,
                 struct inner_sizes *sizes, struct status *status)
{
    bool ok;

    sizes->ciphertext_bytes = group->ciphertext_bytes;
    sizes->secret_bytes = group->secret_bytes;
    if (sizes->secret_bytes != 0)
        return true;
    ERR_set_mark();
    ok = ask_sizes(library, key, sizes) ||
         inner_fail(status, OUTCOME_INTERNAL, group, "asking for the sizes");
    ERR_pop_to_mark();
    return ok;
}

static bool kem_encapsulate(const struct inner_library *library, EVP_PKEY *peer,
                            const struct inner_sizes *sizes, uint8_t *ciphertext, uint8_t *secret)
{
    size_t ciphertext_bytes = sizes->ciphertext_bytes, secret_bytes = sizes->secret_bytes;
    EVP_PKEY_CTX *ctx = inner_operation(library, peer);
    bool ok = ctx != NULL && EVP_PKEY_encapsulate_init(ctx, NULL) > 0 &&
              EVP_PKEY_encapsulate(ctx, ciphertext, &ciphertext_bytes, secret, &secret_bytes) > 0;

    EVP_PKEY_CTX_free(ctx);
    return ok && ciphertext_bytes == sizes->ciphertext_bytes && secret_bytes == sizes->secret_bytes;
}

static bool kem_decapsulate(const struct inner_library *library, EVP_PKEY *key,
                            const struct inner_sizes *sizes, const uint8_t *ciphertext,
                            uint8_t *secret)
{
    size_t secret_bytes = sizes->secret_bytes;
    EVP_PKEY_CTX *ctx = inner_operation(library, key);
    bool ok =
        ctx != NULL && EVP_PKEY_decapsulate_init(ctx, NULL) > 0 &&
        EVP_PKEY_decapsulate(ctx, secret, &secret_bytes, ciphertext, sizes->ciphertext_bytes) > 0;

    EVP_PKEY_CTX_free(ctx);
    return ok && secret_bytes == sizes->secret_bytes;
}

bool inner_encapsulate(const struct inner_library *library, const struct group *group,
                       EVP_PKEY *peer, const struct inner_sizes *sizes, uint8_t *ciphertext,
                       uint8_t *secret, struct status *status)
{
    bool ok;

    ERR_set_mark();
    if (group->kind == INNER_ECDH)
        ok = inner_ecdh_encapsulate(library, group, peer, sizes, ciphertext, secret, status);
    else
        ok = kem_encapsulate(library, peer, sizes, ciphertext, secret);
    if (!ok)
        inner_fail(status, OUTCOME_PEER, group, "encapsulation");
    ERR_pop_to_mark();
    return ok;
}

bool inner_decapsulate(const struct inner_library *library, const struct group *group,
                       EVP_PKEY *key, const struct inner_sizes *sizes, const uint8_t *ciphertext,
                       uint8_t *secret, struct status *status)
{
    bool ok;

    ERR_set_mark();
    if (group->kind == INNER_ECDH)
        ok = inner_ecdh_decapsulate(library, group, key, sizes, ciphertext, secret, status);
    else
        ok = kem_decapsulate(library, key, sizes, ciphertext, secret);
    if (!ok)
        inner_fail(status, OUTCOME_PEER, group, "decapsulation");
    ERR_pop_to_mark();
    return ok;
}
