/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of HTTP/1.1 that a client of a key server needs: writing a request, and reading one
 * response out of octets as they come (RFC 9112: Content-Length, chunked, or up to the end of
 * the connection). Pure; the octets come from the caller.
 */
#ifndef QKD_NET_HTTP_H
#define QKD_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/status.h"

enum {
    HTTP_HEAD_MAX_BYTES = 16384,
    HTTP_TRAILERS_MAX = 32,
    HTTP_INTERIM_MAX = 4 /* 1xx answers before the real one */
};

/* Appends a request; no body when body is NULL (then it is a GET, else a POST of JSON). */
void http_put_request(struct buf *buf, const char *host, const char *port, const char *path,
                      const struct buf *body);

enum http_phase { HTTP_HEAD, HTTP_BODY, HTTP_COMPLETE };

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_END };

struct http_response {
    enum http_phase phase;
    enum http_framing framing;
    int code;
    bool keep_alive; /* the connection may be used again */
    struct buf body; /* bounded by max_body_bytes; wiped by http_response_free */
    size_t left;     /* of the body or of the current chunk */
    size_t trailer_count;
    int chunk_phase; /* private to http_chunks.c */
    size_t interim_count;
};

void http_response_init(struct http_response *response, size_t max_body_bytes);
void http_response_free(struct http_response *response);

/* Takes what it can from the front of `input` (consuming it) until the response is complete or
 * more input is needed; see `phase`. False, and *status (OUTCOME_KME), when this is not HTTP or
 * larger than allowed. */
bool http_response_feed(struct http_response *response, struct buf *input, struct status *status);

/* The connection ended: true if that completes the response. */
bool http_response_end(struct http_response *response, struct status *status);

#endif
