/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inner algorithm of a group, through EVP: another provider's KEM, or ephemeral ECDH where
 * that is all there is. Every function leaves OpenSSL's error queue as it found it and puts the
 * inner reason into *status instead.
 */
#ifndef QKD_PROVIDER_INNER_H
#define QKD_PROVIDER_INNER_H

#include "provider/inner_key.h"

/* What encapsulation to this key, or decapsulation with it, will give. Costs nothing where the
 * table knows it. */
bool inner_sizes(const struct inner_library *library, const struct group *group, EVP_PKEY *key,
                 struct inner_sizes *sizes, struct status *status);

/* Both write exactly the octets that inner_sizes announced. On failure the outputs hold rubbish
 * that the caller wipes. */
bool inner_encapsulate(const struct inner_library *library, const struct group *group,
                       EVP_PKEY *peer, const struct inner_sizes *sizes, uint8_t *ciphertext,
                       uint8_t *secret, struct status *status);
bool inner_decapsulate(const struct inner_library *library, const struct group *group,
                       EVP_PKEY *key, const struct inner_sizes *sizes, const uint8_t *ciphertext,
                       uint8_t *secret, struct status *status);

#endif
