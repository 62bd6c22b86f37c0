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
    TLS_LINK_DIAL,
    TLS_ROLE_COUNT,
    TLS_NONE = TLS_ROLE_COUNT
};

struct tls_set;

/* The contexts of all roles, from the files that `config` names: each shows our certificate and
 * demands one of the other side that chains up to our CA. NULL, and *status (OUTCOME_CONFIG)
 * naming the file, when any file does not do. Owned by the caller; freeing it leaves alone what
 * tls_new has made. */
struct tls_set *tls_set_new(const struct env *env, const struct kme_config *config,
                            struct status *status);
void tls_set_free(struct tls_set *set);

/* One end of a connection, with the files as they were last read. NULL when out of memory. */
SSL *tls_new(const struct env *env, enum tls_role role);

#endif
