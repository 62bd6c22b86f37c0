/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of TLS in one process, on memory BIOs, each with a library context and a provider of
 * its own: what a program with threads or forks is to the provider, with a key server behind each
 * end. The server's SSL_CTX is kept, as servers do; the client makes one for each handshake, as
 * curl does.
 */
#ifndef QKD_TESTS_TWO_ENDS_H
#define QKD_TESTS_TWO_ENDS_H

#include <stdbool.h>

#include <openssl/ssl.h>

enum { TWO_ENDS_REASON_BYTES = 400 };

struct two_ends {
    OSSL_LIB_CTX *client_library, *server_library;
    SSL_CTX *server;
    const char *ca; /* borrowed: file name */
};

struct two_ends_files {
    const char *ca, *cert, *key;         /* of the server, as PEM */
    const char *client_cnf, *server_cnf; /* the openssl.cnf of each end */
};

/* How a handshake went: which end failed first, and the first error it had. */
struct two_ends_outcome {
    bool completed;
    const char *end; /* "client" or "server"; static */
    char reason[TWO_ENDS_REASON_BYTES];
};

/* Nobody asks a key server yet. False: a reason is on the error queue; close it all the same. */
bool two_ends_open(struct two_ends *ends, const struct two_ends_files *files);
void two_ends_close(struct two_ends *ends);

/* One handshake with this one group. Any number of threads may be here at a time. The thread's
 * error queue is empty afterwards, and an error that is left on it after success is a failure. */
void two_ends_handshake(const struct two_ends *ends, const char *group,
                        struct two_ends_outcome *outcome);

#endif
