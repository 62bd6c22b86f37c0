/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard base64 with padding (RFC 4648 section 4), as ETSI GS QKD 014 clause 6.3 carries
 * keys. Strict: one text for one value.
 */
#ifndef QKD_BASE_BASE64_H
#define QKD_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"

/* Characters of the encoding of size_bytes octets, without a NUL. */
size_t base64_chars(size_t size_bytes);

/* Appends the encoding. */
void base64_put(struct buf *buf, const uint8_t *octets, size_t size_bytes);

/* A new secret with the decoded octets, owned by the caller. NULL for an empty text, one that
 * is not canonical, one longer than a secret may be, or when out of memory. */
struct secret *base64_decode(const char *text, size_t length);

#endif
