/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's half of HTTP/1.1 requests (RFC 9112): takes octets as they come and makes one
 * request out of them. Strict about what decides where a request ends. Pure.
 */
#ifndef QKD_KME_HTTP_REQUEST_H
#define QKD_KME_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum {
    HTTP_REQUEST_HEAD_MAX_BYTES = 16384,
    HTTP_TARGET_MAX_CHARS = 4096,
    HTTP_METHOD_MAX_CHARS = 15,
    HTTP_CONTENT_TYPE_MAX_CHARS = 127,
    HTTP_HOST_MAX_CHARS = 300,
    HTTP_ORIGIN_MAX_CHARS = 310
};

enum http_request_phase {
    HTTP_REQUEST_HEAD,
    HTTP_REQUEST_BODY, /* of a known length */
    HTTP_REQUEST_CHUNK_SIZE,
    HTTP_REQUEST_CHUNK_DATA,
    HTTP_REQUEST_CHUNK_END,
    HTTP_REQUEST_TRAILER,
    HTTP_REQUEST_COMPLETE
};

struct http_request {
    enum http_request_phase phase;
    char method[HTTP_METHOD_MAX_CHARS + 1];
    char target[HTTP_TARGET_MAX_CHARS + 1];             /* origin form, as received: not decoded */
    char content_type[HTTP_CONTENT_TYPE_MAX_CHARS + 1]; /* "" when absent */
    char host[HTTP_HOST_MAX_CHARS + 1];                 /* "" when absent */
    char origin[HTTP_ORIGIN_MAX_CHARS + 1];             /* the same */
    bool keep_alive;
    bool expects_continue; /* wants to hear 100 before it sends its body */
    struct buf body;
    size_t left;          /* octets of the body or of the current chunk to come */
    size_t trailer_bytes; /* of chunk sizes and trailers so far, to bound them */
};

/* What to answer to something that is no acceptable request; the connection ends after it. */
struct http_fault {
    int code;
    const char *message;
};

void http_request_init(struct http_request *request, size_t max_body_bytes);

/* Ready for the next request; wipes the body. */
void http_request_reset(struct http_request *request);
void http_request_free(struct http_request *request);

/* Takes what it can from the front of the input, until the phase is HTTP_REQUEST_COMPLETE or
 * more input is needed. */
bool http_request_feed(struct http_request *request, struct buf *input, struct http_fault *fault);

#endif
