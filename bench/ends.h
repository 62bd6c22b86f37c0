/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ends of a measured handshake: one connection each, with the times of its parts.
 *
 * A configuration file has a library context of its own, so that arms with different settings of
 * the provider share a process. Nothing is resumed. No function is meant for several threads.
 */
#ifndef QKD_BENCH_ENDS_H
#define QKD_BENCH_ENDS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

/* What a client does once it is through. */
enum talk {
    TALK_SAMPLE, /* reads what end_answer has to say: the server's part */
    TALK_HTTP    /* asks for a page and reads its first octet */
};

/* Times in nanoseconds. The initiator of a key is one of the two ends; what it costs there is in
 * that end's part. */
struct sample {
    int64_t total_ns;  /* before connect(2) until the server has answered: both ends are through */
    int64_t client_ns; /* until the ClientHello is out, without connect(2) */
    int64_t
        server_ns; /* from the ClientHello to the ServerHello, at the server; TALK_SAMPLE only */
    bool ok;       /* false: total_ns is the time that it took to fail */
};

/* One end of handshakes. The caller fills in the method and the files, which are not copied. */
struct end {
    const SSL_METHOD *method;
    const char *cert, *key;  /* of a server, else NULL */
    const char *ca, *groups; /* of a client, else NULL */
    OSSL_LIB_CTX *library;
    SSL_CTX *kept; /* NULL: a new one for each connection */
};

/* Makes a library context with the providers and TLS settings of that file, which lives as long
 * as the process. With `context_each` every connection makes an SSL_CTX of its own within the
 * measured time, as curl does, and here one is only tried. On failure the reason is on OpenSSL's
 * error queue. */
bool end_open(struct end *end, const char *configuration, bool context_each);

/* Handshake with a server whose certificate must name localhost. Leaves the reason of a failure
 * on the error queue. */
struct sample end_connect(const struct end *end, const struct sockaddr_in *address, enum talk talk);

/* The server's side of a connection, which is closed. Leaves the reason of a failure on the error
 * queue. */
bool end_answer(const struct end *end, int fd);

#endif
