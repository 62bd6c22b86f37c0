/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a key server is, who we are to it and whom we trust there; makes the TLS context of
 * the connections to it. That context lives in a library context of its own with the default
 * provider only, so that neither the application's configuration nor our own groups reach it.
 *
 * Making an endpoint does no network and no fetch. Immutable afterwards but for the TLS
 * context, which is made at first use, once, whichever thread comes first.
 */
#ifndef QKD_NET_ENDPOINT_H
#define QKD_NET_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

enum {
    ENDPOINT_HOST_MAX_CHARS = 255,
    ENDPOINT_PEM_MAX_BYTES = 262144 /* of each of the three PEM files */
};

enum endpoint_api { ENDPOINT_ETSI014, ENDPOINT_ETSI004 };

struct endpoint_address {
    enum endpoint_api api;
    char host[ENDPOINT_HOST_MAX_CHARS + 1]; /* name, IPv4, or IPv6 without brackets */
    char port[6];                           /* decimal, 1 to 65535 */
};

/* Reads https://HOST[:PORT][/] (port 443 by default) or etsi004://HOST[:PORT] (25575). No user,
 * query or path. On false *status says what is wrong with the URL. */
bool endpoint_address_parse(const char *url, struct endpoint_address *address,
                            struct status *status);

/* What TLS to the key server must be like. */
struct endpoint_tls {
    const char *groups; /* as OpenSSL reads lists of groups; NULL: ours */
    bool require_pq;    /* no connection without a post-quantum hybrid, and TLS 1.3 */
};

struct endpoint;

/* Copies `tls`. Takes the contents of the PEM buffers over (they are empty afterwards): our
 * certificate with its chain, our private key, the CAs that we trust. Does not look into them yet.
 * NULL when out of memory. */
struct endpoint *endpoint_new(const struct endpoint_address *address,
                              const struct endpoint_tls *tls, struct buf *cert_pem,
                              struct buf *key_pem, struct buf *ca_pem);
void endpoint_free(struct endpoint *endpoint);

const struct endpoint_address *endpoint_address(const struct endpoint *endpoint);

/* Puts "KME HOST:PORT: " before the sentence of a failed status; returns false. */
bool endpoint_blame(const struct endpoint *endpoint, struct status *status);

struct tls_context;

bool endpoint_requires_pq(const struct endpoint *endpoint);

/* The TLS context of connections to here, borrowed. NULL, and *status filled in
 * (OUTCOME_CONFIG names the setting at fault), when the PEM contents are unusable. */
struct tls_context *endpoint_tls(struct endpoint *endpoint, struct status *status);

#endif
