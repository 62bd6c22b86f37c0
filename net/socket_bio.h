/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BIO over a connected, non-blocking socket that never raises SIGPIPE. OpenSSL's own socket
 * BIO writes with write(2), and we run inside programs whose signals are not ours to set.
 */
#ifndef QKD_NET_SOCKET_BIO_H
#define QKD_NET_SOCKET_BIO_H

#include <openssl/bio.h>

/* The method table; NULL when out of memory. Freed with BIO_meth_free after its last BIO. */
BIO_METHOD *socket_bio_method_new(void);

/* A BIO of that method; does not own the descriptor. */
BIO *socket_bio_new(const BIO_METHOD *method, int fd);

#endif
