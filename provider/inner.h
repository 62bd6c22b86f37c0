/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inner algorithm of a group, through EVP: another provider's KEM, or ephemeral ECDH where
 * that is all there is. Every function leaves OpenSSL's error queue as it found it and puts the
 * inner reason into *status instead.
 */
#ifndef QKD_PROVIDER_INNER_H
#define QKD_PROVIDER_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/status.h"
#include "provider/groups.h"

/* Where inner algorithms are fetched from, and the query that keeps our own groups out. */
struct inner_library {
    OSSL_LIB_CTX *context;
    const char *properties;
};

/* Whether the group's inner algorithm can be had in this process. */
bool inner_is_available(const struct inner_library *library, const struct group *group);

/* A new ephemeral key pair; owned by the caller. */
EVP_PKEY *inner_generate(const struct inner_library *library, const struct group *group,
                         struct status *status);

/* The peer's public key out of exactly these octets; owned by the caller. OUTCOME_PEER when they
 * are not a valid public key of the group. */
EVP_PKEY *inner_import(const struct inner_library *library, const struct group *group,
                       const uint8_t *octets, size_t length, struct status *status);

/* The encoded public key, to be freed with OPENSSL_free. */
bool inner_public(const struct group *group, EVP_PKEY *key, uint8_t **octets, size_t *length,
                  struct status *status);

struct inner_sizes {
    size_t ciphertext_bytes;
    size_t secret_bytes;
};

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
