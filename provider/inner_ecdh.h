/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ephemeral ECDH in the shape of a KEM: the "ciphertext" is the server's own ephemeral public
 * key. Plain ECDH through EVP on every OpenSSL, because the KEM of these key types appeared in
 * 3.2 only and is another construction (DHKEM of RFC 9180). For provider/inner.c alone.
 */
#ifndef QKD_PROVIDER_INNER_ECDH_H
#define QKD_PROVIDER_INNER_ECDH_H

#include "provider/inner_key.h"

/* Contracts of inner_encapsulate and inner_decapsulate, within the caller's error mark. */
bool inner_ecdh_encapsulate(const struct inner_library *library, const struct group *group,
                            EVP_PKEY *peer, const struct inner_sizes *sizes, uint8_t *ciphertext,
                            uint8_t *secret, struct status *status);
bool inner_ecdh_decapsulate(const struct inner_library *library, const struct group *group,
                            EVP_PKEY *key, const struct inner_sizes *sizes,
                            const uint8_t *ciphertext, uint8_t *secret, struct status *status);

#endif
