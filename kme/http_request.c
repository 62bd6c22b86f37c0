/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/http_request.h"

#include <stdint.h>
#include <string.h>

#include <openssl/crypto.h>

#include "kme/http_head.h"

enum { CHUNK_LINE_MAX_BYTES = 256, TRAILER_MAX_BYTES = 16384 };

void http_request_init(struct http_request *request, size_t max_body_bytes)
{
    memset(request, 0, sizeof(*request));
    buf_init(&request->body, max_body_bytes);
}

void http_request_reset(struct http_request *request)
{
    buf_reset(&request->body);
    request->phase = HTTP_REQUEST_HEAD;
    request->method[0] = '\0';
    request->target[0] = '\0';
    request->content_type[0] = '\0';
    request->host[0] = '\0';
    request->origin[0] = '\0';
    request->keep_alive = false;
    request->expects_continue = false;
    request->left = 0;
    request->trailer_bytes = 0;
}

void http_request_free(struct http_request *request)
{
    buf_free(&request->body);
}

/* Empty lines before a request are allowed (RFC 9112, section 2.2). */
static void skip_empty_lines(struct buf *input)
{
    size_t count = 0;

    while (input->length - count >= 2 && memcmp(input->data + count, "\r\n", 2) == 0)
        count += 2;
    buf_consume(input, count);
}

static bool feed_head(struct http_request *request, struct buf *input, bool *stuck,
                      struct http_fault *fault)
{
    const uint8_t *end;
    size_t length;

    skip_empty_lines(input);
    end = input->length == 0 ? NULL : memmem(input->data, input->length, "\r\n\r\n", 4);
    if (end == NULL) {
        *stuck = true;
        /* Do not wait for a head that cannot become one. */
        if (input->length > HTTP_REQUEST_HEAD_MAX_BYTES)
            return http_refuse(fault, 431, "the request head is too large");
        return input->length == 0 || memmem(input->data, input->length, "\n\n", 2) == NULL ||
               http_refuse(fault, 400, "a line does not end with CR LF");
    }
    length = (size_t)(end - input->data) + 2;
    if (length > HTTP_REQUEST_HEAD_MAX_BYTES)
        return http_refuse(fault, 431, "the request head is too large");
    if (!http_head_parse(request, (const char *)input->data, length, fault))
        return false;
    buf_consume(input, length + 2);
    return true;
}

static bool feed_octets(struct http_request *request, struct buf *input, bool *stuck,
                        struct http_fault *fault)
{
    size_t count = input->length < request->left ? input->length : request->left;

    buf_put(&request->body, input->data, count);
    if (request->body.failed)
        return http_refuse(fault, 413, "the request body is too large");
    buf_consume(input, count);
    request->left -= count;
    if (request->left > 0)
        *stuck = true;
    else
        request->phase =
            request->phase == HTTP_REQUEST_BODY ? HTTP_REQUEST_COMPLETE : HTTP_REQUEST_CHUNK_END;
    return true;
}

/* A line without its CR LF; NULL when it has not come whole, with *stuck set. */
static const char *peek_line(struct http_request *request, const struct buf *input, size_t *length,
                             bool *stuck, struct http_fault *fault)
{
    const uint8_t *end = input->length == 0 ? NULL : memmem(input->data, input->length, "\r\n", 2);
    size_t whole = end == NULL ? input->length : (size_t)(end - input->data) + 2;

    if (whole > CHUNK_LINE_MAX_BYTES || request->trailer_bytes + whole > TRAILER_MAX_BYTES) {
        http_refuse(fault, 400, "chunk sizes and trailers are too long");
        return NULL;
    }
    if (end == NULL) {
        *stuck = true;
        return NULL;
    }
    *length = whole - 2;
    return (const char *)input->data;
}

static bool feed_chunk_size(struct http_request *request, struct buf *input, bool *stuck,
                            struct http_fault *fault)
{
    size_t length, size = 0, digits = 0;
    const char *line = peek_line(request, input, &length, stuck, fault);

    if (line == NULL)
        return *stuck;
    for (; digits < length; digits++) {
        int digit = OPENSSL_hexchar2int((unsigned char)line[digits]);

        if (digit < 0)
            break;
        if (size > SIZE_MAX / 16)
            return http_refuse(fault, 413, "the request body is too large");
        size = size * 16 + (size_t)digit;
    }
    if (digits == 0 || (digits < length && line[digits] != ';' && line[digits] != ' '))
        return http_refuse(fault, 400, "a chunk size is not a number");
    if (size > request->body.max_bytes - request->body.length)
        return http_refuse(fault, 413, "the request body is too large");
    request->trailer_bytes += length + 2;
    buf_consume(input, length + 2);
    request->left = size;
    request->phase = size == 0 ? HTTP_REQUEST_TRAILER : HTTP_REQUEST_CHUNK_DATA;
    return true;
}

static bool feed_chunk_end(struct http_request *request, struct buf *input, bool *stuck,
                           struct http_fault *fault)
{
    if (input->length < 2) {
        *stuck = true;
        return true;
    }
    if (memcmp(input->data, "\r\n", 2) != 0)
        return http_refuse(fault, 400, "a chunk is longer than its size");
    buf_consume(input, 2);
    request->trailer_bytes += 2;
    request->phase = HTTP_REQUEST_CHUNK_SIZE;
    return true;
}

static bool feed_trailer(struct http_request *request, struct buf *input, bool *stuck,
                         struct http_fault *fault)
{
    size_t length;

    if (peek_line(request, input, &length, stuck, fault) == NULL)
        return *stuck;
    request->trailer_bytes += length + 2;
    buf_consume(input, length + 2);
    if (length == 0)
        request->phase = HTTP_REQUEST_COMPLETE;
    return true;
}

bool http_request_feed(struct http_request *request, struct buf *input, struct http_fault *fault)
{
    static bool (*const feeders[HTTP_REQUEST_COMPLETE])(struct http_request *, struct buf *, bool *,
                                                        struct http_fault *) = {
        [HTTP_REQUEST_HEAD] = feed_head,
        [HTTP_REQUEST_BODY] = feed_octets,
        [HTTP_REQUEST_CHUNK_SIZE] = feed_chunk_size,
        [HTTP_REQUEST_CHUNK_DATA] = feed_octets,
        [HTTP_REQUEST_CHUNK_END] = feed_chunk_end,
        [HTTP_REQUEST_TRAILER] = feed_trailer,
    };
    bool stuck = false;

    while (!stuck && request->phase != HTTP_REQUEST_COMPLETE)
        if (!feeders[request->phase](request, input, &stuck, fault))
            return false;
    return true;
}
