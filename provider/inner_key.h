/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the inner algorithm of a group, through EVP. Every function but the last two leaves
 * OpenSSL's error queue as it found it and puts the inner reason into *status instead.
 */
#ifndef QKD_PROVIDER_INNER_KEY_H
#define QKD_PROVIDER_INNER_KEY_H

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

/* Octets of what an inner algorithm gives. */
struct inner_sizes {
    size_t ciphertext_bytes;
    size_t secret_bytes;
};

/* An operation context pinned to the provider that holds the key; NULL on failure. */
EVP_PKEY_CTX *inner_operation(const struct inner_library *library, EVP_PKEY *key);

/* "WHAT of ALGORITHM failed: newest reason of the error queue"; returns false. */
bool inner_fail(struct status *status, enum outcome outcome, const struct group *group,
                const char *what);

#endif
