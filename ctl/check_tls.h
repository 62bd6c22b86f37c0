/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS as no client of ours makes it: old versions, no certificate, certificates made up. It does
 * not verify the key server, and sends nothing that is secret.
 */
#ifndef QKD_CTL_CHECK_TLS_H
#define QKD_CTL_CHECK_TLS_H

#include <openssl/x509.h>

#include "base/deadline.h"
#include "base/status.h"
#include "net/endpoint.h"

struct tls_try {
    const struct endpoint_address *address;
    int max_version; /* TLS1_1_VERSION, …; 0 = the newest */
    X509 *cert;      /* NULL = none */
    EVP_PKEY *key;
    const void *request; /* sent when the handshake is over */
    size_t request_bytes;
};

enum tls_verdict {
    TLS_REFUSED,  /* by the handshake, or by an alert or an end before any answer */
    TLS_ANSWERED, /* the request got an answer */
    TLS_UNCLEAR   /* it could not be tried; *status says why */
};

struct tls_outcome {
    enum tls_verdict verdict;
    int code;       /* HTTP, when answered */
    bool has_keys;  /* whether the answer looks like one with keys */
    char text[160]; /* what came */
};

void tls_try(const struct tls_try *attempt, const struct deadline *deadline,
             struct tls_outcome *outcome, struct status *status);

#endif
