/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing of what rests on the disk: AES-256-GCM under a key that HKDF-SHA256 makes from the key
 * file and a random salt. One sealer is one generation: it has a salt of its own, so its nonces
 * may count from zero and never repeat under one key.
 */
#ifndef QKD_KME_SEAL_H
#define QKD_KME_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "base/secret.h"
#include "base/status.h"

enum {
    SEAL_KEY_FILE_BYTES = 32,
    SEAL_SALT_BYTES = 32,
    SEAL_OVERHEAD_BYTES = 8 + 16 /* the count of the nonce, before; the tag, behind */
};

/* The octets of a key file: a regular file of exactly 32 octets that only its owner may read.
 * Owned by the caller. NULL, and *status (OUTCOME_CONFIG) with what to do, for anything else. */
struct secret *seal_read_key_file(const char *path, struct status *status);

struct sealer;

/* `key` may be freed afterwards. */
struct sealer *sealer_new(OSSL_LIB_CTX *libctx, const struct secret *key,
                          const uint8_t salt[static SEAL_SALT_BYTES], struct status *status);

/* Wipes; NULL is allowed. */
void sealer_free(struct sealer *sealer);

/* Writes length + SEAL_OVERHEAD_BYTES octets. `about` is authenticated with them. Only the process
 * that made the salt may seal with it. */
bool sealer_seal(struct sealer *sealer, const void *about, size_t about_length, const void *octets,
                 size_t length, uint8_t *sealed, struct status *status);

/* Writes length - SEAL_OVERHEAD_BYTES octets. False, and the place wiped, when they or `about`
 * are not what was sealed. */
bool sealer_open(struct sealer *sealer, const void *about, size_t about_length,
                 const uint8_t *sealed, size_t length, uint8_t *octets);

#endif
