/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a TLS connection, as its verified certificate says: names that the
 * configuration has rules for (ETSI GS QKD 014 clause 5.1 leaves open where an SAE ID stands).
 * Read once for each connection and kept, so that a reload may change what it means.
 */
#ifndef QKD_KME_IDENTITY_H
#define QKD_KME_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "etsi/etsi014.h"

enum {
    IDENTITY_SANS_MAX = 32, /* of all types */
    IDENTITY_FINGERPRINT_BYTES = 32
};

enum identity_name { IDENTITY_CN, IDENTITY_SAN_URI, IDENTITY_SAN_DNS };

struct identity;

/* Owned by the caller. NULL, and *why for the log, when there is no verified certificate; when one
 * of its names has a NUL or more than ETSI014_ID_MAX_CHARS octets, or there are too many; or when
 * out of memory. Several CNs are as good as none. */
struct identity *identity_read(SSL *tls, const char **why);

/* The same from a certificate that somebody has verified. */
struct identity *identity_of(const X509 *certificate, const char **why);
void identity_free(struct identity *identity);

/* For the log: its CN, else one of its other names, else "?"; so for NULL, too. */
const char *identity_text(const struct identity *identity);

/* Octet for octet, but for the case of a DNS name. NULL has no names. */
bool identity_has(const struct identity *identity, enum identity_name kind, const char *name);

/* Whether this is the SHA-256 of the certificate. */
bool identity_has_fingerprint(const struct identity *identity,
                              const uint8_t fingerprint[static IDENTITY_FINGERPRINT_BYTES]);

#endif
