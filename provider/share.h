/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout of both key shares, the only place that knows it (docs/protocol.md):
 *
 *     client key share = inner_public     || key_id[16]
 *     server key share = inner_ciphertext || key_id[16]
 *     shared secret    = inner_secret     || qkd_key[32]
 */
#ifndef QKD_PROVIDER_SHARE_H
#define QKD_PROVIDER_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key_id.h"
#include "base/secret.h"

enum { SHARE_QKD_KEY_BYTES = 32 };

/* Octets of a whole share or secret whose inner part has inner_bytes. */
size_t share_bytes(size_t inner_bytes);
size_t share_secret_bytes(size_t inner_bytes);

/* Writes the ID behind the inner part that already stands in share[0 .. inner_bytes). */
void share_set_key_id(uint8_t *share, size_t inner_bytes, const struct key_id *key_id);

/* Takes a share of the peer apart: the inner part is share[0 .. *inner_bytes). False when the
 * share is too short to have one. */
bool share_split(const uint8_t *share, size_t length, size_t *inner_bytes, struct key_id *key_id);

/* Writes the QKD key behind the inner secret; the key must have SHARE_QKD_KEY_BYTES octets. */
void share_set_qkd_key(uint8_t *secret, size_t inner_bytes, const struct secret *qkd_key);

#endif
