/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/inner_ecdh.h"

#include <string.h>

static bool derive(const struct inner_library *library, EVP_PKEY *own, EVP_PKEY *peer,
                   uint8_t *secret, size_t secret_bytes)
{
    EVP_PKEY_CTX *ctx = inner_operation(library, own);
    size_t got_bytes = secret_bytes;
    bool ok = ctx != NULL && EVP_PKEY_derive_init(ctx) > 0 &&
              EVP_PKEY_derive_set_peer(ctx, peer) > 0 &&
              EVP_PKEY_derive(ctx, secret, &got_bytes) > 0;

    EVP_PKEY_CTX_free(ctx);
    return ok && got_bytes == secret_bytes;
}

bool inner_ecdh_encapsulate(const struct inner_library *library, const struct group *group,
                            EVP_PKEY *peer, const struct inner_sizes *sizes, uint8_t *ciphertext,
                            uint8_t *secret, struct status *status)
{
    EVP_PKEY *own = inner_generate(library, group, status);
    uint8_t *public = NULL;
    size_t public_bytes = 0;
    bool ok = own != NULL && inner_public(group, own, &public, &public_bytes, status) &&
              public_bytes == sizes->ciphertext_bytes &&
              derive(library, own, peer, secret, sizes->secret_bytes);

    if (ok)
        memcpy(ciphertext, public, public_bytes);
    OPENSSL_free(public);
    EVP_PKEY_free(own);
    return ok;
}

bool inner_ecdh_decapsulate(const struct inner_library *library, const struct group *group,
                            EVP_PKEY *key, const struct inner_sizes *sizes,
                            const uint8_t *ciphertext, uint8_t *secret, struct status *status)
{
    EVP_PKEY *peer = inner_import(library, group, ciphertext, sizes->ciphertext_bytes, status);
    bool ok = peer != NULL && derive(library, key, peer, secret, sizes->secret_bytes);

    EVP_PKEY_free(peer);
    return ok;
}
