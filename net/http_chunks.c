/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_chunks.h"

#include <string.h>

#include <openssl/crypto.h>

enum { CHUNK_LINE_MAX_BYTES = 1024 };

/* The length of the line at the front with its LF; 0 while it is incomplete. */
static bool line_length(const struct buf *input, size_t *length, struct status *status)
{
    const uint8_t *newline = memchr(input->data, '\n', input->length);

    *length = newline != NULL ? (size_t)(newline - input->data) + 1 : 0;
    if (*length > CHUNK_LINE_MAX_BYTES || (*length == 0 && input->length > CHUNK_LINE_MAX_BYTES))
        return status_fail(status, OUTCOME_KME, "a chunk line of its answer exceeds %d octets",
                           CHUNK_LINE_MAX_BYTES);
    return true;
}

static bool is_empty_line(const struct buf *input, size_t length)
{
    return length == 1 || (length == 2 && input->data[0] == '\r');
}

/* Hexadecimal digits, then the end of the line or an extension, which nobody reads. */
static bool parse_size(struct http_response *response, const struct buf *input, size_t length,
                       struct status *status)
{
    size_t size = 0, digits = 0;

    while (digits < length && OPENSSL_hexchar2int(input->data[digits]) >= 0) {
        size = size << 4 | (size_t)OPENSSL_hexchar2int(input->data[digits++]);
        if (size > response->body.max_bytes)
            return status_fail(status, OUTCOME_KME, "its answer exceeds %zu octets",
                               response->body.max_bytes);
    }
    if (digits == 0 || digits > 16 || memchr("\r\n; \t", input->data[digits], 5) == NULL)
        return status_fail(status, OUTCOME_KME, "a chunk of its answer has no clear size");
    response->left = size;
    response->chunk_phase = size == 0 ? CHUNK_TRAILER : CHUNK_DATA;
    return true;
}

static bool feed_line(struct http_response *response, struct buf *input, bool *progress,
                      struct status *status)
{
    size_t length;

    if (!line_length(input, &length, status))
        return false;
    *progress = length > 0;
    if (length == 0)
        return true;
    if (response->chunk_phase == CHUNK_SIZE) {
        if (!parse_size(response, input, length, status))
            return false;
    } else if (response->chunk_phase == CHUNK_DATA_END) {
        if (!is_empty_line(input, length))
            return status_fail(status, OUTCOME_KME, "a chunk of its answer is longer than it says");
        response->chunk_phase = CHUNK_SIZE;
    } else if (is_empty_line(input, length)) {
        response->phase = HTTP_COMPLETE;
    } else if (++response->trailer_count > HTTP_TRAILERS_MAX) {
        return status_fail(status, OUTCOME_KME, "its answer has more than %d trailers",
                           HTTP_TRAILERS_MAX);
    }
    buf_consume(input, length);
    return true;
}

static bool feed_data(struct http_response *response, struct buf *input, struct status *status)
{
    size_t take = input->length < response->left ? input->length : response->left;

    buf_put(&response->body, input->data, take);
    if (response->body.failed)
        return status_fail(status, OUTCOME_KME, "its answer exceeds %zu octets",
                           response->body.max_bytes);
    buf_consume(input, take);
    response->left -= take;
    if (response->left == 0)
        response->chunk_phase = CHUNK_DATA_END;
    return true;
}

bool http_chunks_feed(struct http_response *response, struct buf *input, struct status *status)
{
    bool progress = true;

    while (response->phase == HTTP_BODY && input->length > 0 && progress) {
        bool ok = response->chunk_phase == CHUNK_DATA
                      ? feed_data(response, input, status)
                      : feed_line(response, input, &progress, status);

        if (!ok)
            return false;
    }
    return true;
}
