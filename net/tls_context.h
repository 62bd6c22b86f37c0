/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS to a key server: a library context of its own with the default provider only, and an
 * SSL_CTX in which everything that matters is set explicitly, because the system-wide section
 * of openssl.cnf reaches private library contexts too (up to OpenSSL 3.6).
 */
#ifndef QKD_NET_TLS_CONTEXT_H
#define QKD_NET_TLS_CONTEXT_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/status.h"
#include "net/endpoint.h"

struct tls_identity {
    const struct buf *cert_pem;
    const struct buf *key_pem;
    const struct buf *ca_pem;
};

struct tls_context;

/* Parses the three PEM texts and checks that key and certificate belong together. */
struct tls_context *tls_context_new(const struct tls_identity *identity,
                                    const struct endpoint_tls *wanted, struct status *status);
void tls_context_free(struct tls_context *context);

/* A client on a connected socket, which it does not own. The peer's certificate must be valid
 * for `host` (DNS name or IP address). With `resume` it offers to resume a session, if there is
 * one: always with a key exchange of its own, so in TLS 1.3 only. */
SSL *tls_context_client(struct tls_context *context, int fd, const char *host, bool resume,
                        struct status *status);

/* Whether a client offers a session, before its handshake. */
bool tls_offers_session(const SSL *ssl);

/* What became of an offer: see tls_sessions_note. */
void tls_context_note_offer(struct tls_context *context, bool harmless);

/* The name of the group that a handshake ended with; "an unknown group" when OpenSSL has none
 * for it. */
const char *tls_group(SSL *ssl);

/* Whether a name is that of a post-quantum hybrid. */
bool tls_group_is_pq(const char *group);

/* The best single explanation of a TLS failure: the verification result if the certificate was
 * refused, else the newest reason of the error queue. Never NULL. */
const char *tls_failure_reason(const SSL *ssl);

#endif
