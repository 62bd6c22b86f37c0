/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 connections, with TLS or without: takes one request at a time from each (pipelined
 * ones wait their turn), hands it to a service, and writes the answer, now or later.
 */
#ifndef QKD_KME_HTTP_SERVER_H
#define QKD_KME_HTTP_SERVER_H

#include <stdint.h>

#include "base/status.h"
#include "kme/address.h"
#include "kme/env.h"
#include "kme/http_request.h"
#include "kme/tls.h"

struct http_server;

/* One connection with its current request. Valid until it is answered, or aborted. */
struct http_exchange;

struct http_service {
    const char *name;  /* for the log */
    enum tls_role tls; /* TLS_NONE: plain HTTP */
    size_t max_body_bytes, max_response_bytes;
    /* A connection was accepted (its TLS handshake is done). */
    void (*opened)(void *arg, SSL *tls); /* NULL: plain HTTP */
    /* Must lead to exactly one http_answer, unless the exchange is aborted before. */
    void (*handle)(void *arg, struct http_exchange *exchange);
    /* Writes the body of an answer to something that never became a request. */
    void (*refuse)(void *arg, const struct http_exchange *exchange, const struct http_fault *fault,
                   struct buf *body);
};

struct http_server *http_server_new(const struct env *env, const struct address *address,
                                    const struct http_service *service, void *arg,
                                    struct status *status);
/* Closes every connection; exchanges that wait are aborted. NULL is allowed. */
void http_server_free(struct http_server *server);

/* Accepts no more connections, and tells those that are open to go after their next answer. */
void http_server_drain(struct http_server *server);
/* Whether no request is held and no answer waits to be written. */
bool http_server_is_idle(const struct http_server *server);

const struct http_request *http_exchange_request(const struct http_exchange *exchange);

/* When the last octet of the request came in, on the monotonic clock. */
int64_t http_exchange_since_ns(const struct http_exchange *exchange);

/* The names in the client's certificate, read once per connection; NULL without TLS, or when it is
 * not to be believed. */
const struct identity *http_exchange_identity(const struct http_exchange *exchange);

/* The client's address, for the journal. */
const char *http_exchange_remote(const struct http_exchange *exchange);

/* Called if the connection ends before the answer; the exchange is gone afterwards. */
void http_exchange_on_abort(struct http_exchange *exchange, void (*abort)(void *arg), void *arg);

struct http_answer {
    int code;
    const char *content_type; /* NULL: no Content-Type */
    const char *extra;        /* whole header lines, each with CR LF; or "" */
    const struct buf *body;   /* borrowed; NULL: empty */
};

void http_answer(struct http_exchange *exchange, const struct http_answer *answer);

/* For a server that misbehaves on command. */
struct http_oddity {
    bool chunked; /* the body in several chunks */
    bool cut;     /* half the answer, and the end of the connection without a word of TLS */
};

void http_answer_oddly(struct http_exchange *exchange, const struct http_answer *answer,
                       struct http_oddity oddity);

#endif
