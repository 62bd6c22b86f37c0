/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.3 sessions that a key server allows us to resume, each of them once. Without locks, like
 * the pool of connections; a forked child has none of its parent's.
 */
#ifndef QKD_NET_TLS_SESSIONS_H
#define QKD_NET_TLS_SESSIONS_H

#include <stdatomic.h>
#include <stdbool.h>

#include <openssl/ssl.h>

enum { TLS_SESSIONS_MAX = 4 };

struct kept_session;

/* Zeros are an empty one. */
struct tls_sessions {
    _Atomic(struct kept_session *) places[TLS_SESSIONS_MAX];
    atomic_uint next;    /* where the next goes, modulo TLS_SESSIONS_MAX */
    atomic_uint refused; /* how often in a row an offer did harm */
};

void tls_sessions_free(struct tls_sessions *sessions);

/* Keeps a copy, in place of the oldest when there are enough. Leaves the error queue alone. */
void tls_sessions_put(struct tls_sessions *sessions, SSL_SESSION *session);

/* The newest, owned by the caller; NULL without one, and from a key server that cannot take it. */
SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions);

/* What became of an offer: it did not do harm, or the key server could only be reached without. */
void tls_sessions_note(struct tls_sessions *sessions, bool harmless);

#endif
