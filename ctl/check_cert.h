/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that a key server should refuse, made when they are needed, kept in memory. */
#ifndef QKD_CTL_CHECK_CERT_H
#define QKD_CTL_CHECK_CERT_H

#include <stdbool.h>

#include <openssl/x509.h>

#include "base/status.h"

/* A certificate with its key. */
struct identity014 {
    X509 *cert;
    EVP_PKEY *key;
};

void identity014_free(struct identity014 *identity);

/* Reads PEM files. */
bool identity014_read(const char *cert_path, const char *key_path, struct identity014 *identity,
                      struct status *status);

struct cert_wish {
    const X509 *like;                 /* subject and alternative names as there; NULL = see below */
    const char *names[2];             /* CNs, when there is no `like`; NULL = none */
    const char *purpose;              /* extended key usage */
    long from_s, until_s;             /* of validity, from now */
    const struct identity014 *issuer; /* NULL = signs itself */
};

bool identity014_make(const struct cert_wish *wish, struct identity014 *identity,
                      struct status *status);

#endif
