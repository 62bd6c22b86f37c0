/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/inner_ecdh.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "provider/inner_private.h"

enum { POINT_UNCOMPRESSED = 0x04, CURVE_NAME_BYTES = 16, POINT_MAX_BYTES = 133 };

EVP_PKEY *inner_ecdh_import_point(const struct inner_library *library, const struct group *group,
                                  const uint8_t *octets, size_t length)
{
    char curve[CURVE_NAME_BYTES] = "";
    uint8_t point[POINT_MAX_BYTES];
    OSSL_PARAM params[3];
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *key = NULL;

    if (length == 0 || length > sizeof(point) || octets[0] != POINT_UNCOMPRESSED)
        return NULL;
    /* OSSL_PARAM takes what is not const. */
    memcpy(point, octets, length);
    memcpy(curve, group->curve, strnlen(group->curve, sizeof(curve) - 1));
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, length);
    params[2] = OSSL_PARAM_construct_end();
    ctx = EVP_PKEY_CTX_new_from_name(library->context, group->inner_names[0], library->properties);
    if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) > 0 &&
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

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
