/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS contexts of the key server, in its own library context and with every choice that a
 * system-wide openssl.cnf could make stated here: groups, versions, verification.
 */
#ifndef QKD_KME_TLS_H
#define QKD_KME_TLS_H

#include "kme/env.h"

enum tls_role {
    TLS_SERVER_014,  /* for SAEs: TLS 1.2 or 1.3, http/1.1 */
    TLS_SERVER_004,  /* for SAEs: TLS 1.2 or 1.3, no ALPN */
    TLS_LINK_LISTEN, /* for the peer key server: TLS 1.3 */
    TLS_LINK_DIAL
};

/* All of them show our certificate and demand one of the other side that chains up to our CA.
 * NULL, and *status (OUTCOME_CONFIG) naming the file, on failure. Owned by the caller. */
SSL_CTX *tls_context_new(const struct env *env, enum tls_role role, struct status *status);

#endif
