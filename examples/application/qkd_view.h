/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether QKD was used in a TLS connection, and with which key: to be copied into a program of
 * yours. Needs OpenSSL 3.0 or later and nothing of the provider's.
 */
#ifndef QKD_VIEW_H
#define QKD_VIEW_H

#include <openssl/ssl.h>

struct qkd_view {
    char group[64];  /* name of the group; "none" before the handshake */
    char key_id[37]; /* of the QKD key, UUID; "" where there was none */
    char role[10];   /* "initiator" or "responder" of the QKD key; "" where there was none */
};

/* Looks at a connection whose handshake is complete; before SSL_clear and SSL_free. Returns 1 if
 * a QKD key went into its secrets, else 0: then *view has the group alone. */
int qkd_view(SSL *ssl, struct qkd_view *view);

#endif
