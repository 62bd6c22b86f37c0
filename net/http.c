/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/http_chunks.h"

void http_put_request(struct buf *buf, const char *host, const char *port, const char *path,
                      const struct buf *body)
{
    const char *open = strchr(host, ':') != NULL ? "[" : "", *close = *open != '\0' ? "]" : "";

    buf_put_text(buf, body != NULL ? "POST " : "GET ");
    buf_put_text(buf, path);
    buf_put_format(buf, " HTTP/1.1\r\nHost: %s%s%s:%s\r\n", open, host, close, port);
    buf_put_text(buf, "Accept: application/json\r\nAccept-Encoding: identity\r\n");
    if (body != NULL)
        buf_put_format(buf, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                       body->length);
    buf_put_text(buf, "\r\n");
    if (body != NULL)
        buf_put(buf, body->data, body->length);
}

void http_response_init(struct http_response *response, size_t max_body_bytes)
{
    memset(response, 0, sizeof(*response));
    buf_init(&response->body, max_body_bytes);
}

void http_response_free(struct http_response *response)
{
    buf_free(&response->body);
}

/* One line of the head; lines end with LF, and a CR before it belongs to the end. */
struct line {
    const char *text;
    size_t length;
};

static bool next_line(const char **from, const char *end, struct line *line)
{
    const char *newline = memchr(*from, '\n', (size_t)(end - *from));

    if (newline == NULL)
        return false;
    line->text = *from;
    line->length = (size_t)(newline - *from);
    if (line->length > 0 && line->text[line->length - 1] == '\r')
        line->length--;
    *from = newline + 1;
    return true;
}

static bool parse_status_line(const struct line *line, struct http_response *response,
                              struct status *status)
{
    const char *text = line->text;

    /* "HTTP/1.x NNN", then a space and anything, or nothing. */
    if (line->length < 12 || memcmp(text, "HTTP/1.", 7) != 0 || text[7] < '0' || text[7] > '1' ||
        text[8] != ' ' || strspn(text + 9, "0123456789") < 3 ||
        (line->length > 12 && text[12] != ' '))
        return status_fail(status, OUTCOME_KME, "its answer is not HTTP/1.1");
    response->keep_alive = text[7] == '1';
    response->code = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
    return true;
}

/* The value if the line is the field `name`, else NULL. */
static const char *field_value(const struct line *line, const char *name, size_t *length)
{
    size_t name_length = strlen(name), start = name_length + 1, end = line->length;

    if (line->length <= name_length || line->text[name_length] != ':' ||
        strncasecmp(line->text, name, name_length) != 0)
        return NULL;
    while (start < end && strchr(" \t", line->text[start]) != NULL)
        start++;
    while (end > start && strchr(" \t", line->text[end - 1]) != NULL)
        end--;
    *length = end - start;
    return line->text + start;
}

static bool value_is(const char *value, size_t length, const char *word)
{
    return length == strlen(word) && strncasecmp(value, word, length) == 0;
}

static bool parse_length(const char *value, size_t length, struct http_response *response,
                         struct status *status)
{
    size_t number = 0;

    if (length == 0 || length > 12 || response->framing == HTTP_LENGTH)
        return status_fail(status, OUTCOME_KME, "its answer has no clear Content-Length");
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9')
            return status_fail(status, OUTCOME_KME, "its answer has no clear Content-Length");
        number = number * 10 + (size_t)(value[i] - '0');
    }
    if (number > response->body.max_bytes)
        return status_fail(status, OUTCOME_KME, "its answer of %zu octets exceeds %zu", number,
                           response->body.max_bytes);
    if (response->framing != HTTP_CHUNKED)
        response->framing = HTTP_LENGTH;
    response->left = number;
    return true;
}

static bool parse_field(const struct line *line, struct http_response *response,
                        struct status *status)
{
    const char *value;
    size_t length;

    if ((value = field_value(line, "Content-Length", &length)) != NULL)
        return parse_length(value, length, response, status);
    if ((value = field_value(line, "Transfer-Encoding", &length)) != NULL) {
        if (!value_is(value, length, "chunked"))
            return status_fail(status, OUTCOME_KME, "its answer has an unknown transfer coding");
        response->framing = HTTP_CHUNKED;
    } else if ((value = field_value(line, "Content-Encoding", &length)) != NULL) {
        if (!value_is(value, length, "identity"))
            return status_fail(status, OUTCOME_KME, "its answer is compressed, unasked");
    } else if ((value = field_value(line, "Connection", &length)) != NULL) {
        if (value_is(value, length, "close"))
            response->keep_alive = false;
    }
    /* Other fields, also malformed ones that servers of the field send, say nothing to us. */
    return true;
}

static void start_body(struct http_response *response)
{
    bool bodiless = response->code == 204 || response->code == 304;

    if (bodiless)
        response->framing = HTTP_NO_BODY;
    if (response->framing == HTTP_UNTIL_END)
        response->keep_alive = false;
    if (response->framing == HTTP_CHUNKED)
        response->left = 0;
    response->phase = HTTP_BODY;
    if (bodiless || (response->framing == HTTP_LENGTH && response->left == 0))
        response->phase = HTTP_COMPLETE;
}

static bool parse_head(struct http_response *response, const char *head, size_t length,
                       struct status *status)
{
    const char *from = head, *end = head + length;
    struct line line;

    response->framing = HTTP_UNTIL_END;
    response->left = 0;
    if (!next_line(&from, end, &line) || !parse_status_line(&line, response, status))
        return false;
    while (next_line(&from, end, &line) && line.length > 0)
        if (!parse_field(&line, response, status))
            return false;
    if (response->code >= 200) {
        start_body(response);
        return true;
    }
    if (++response->interim_count > HTTP_INTERIM_MAX)
        return status_fail(status, OUTCOME_KME, "it sends interim answers without end");
    return true;
}

/* Octets of the head with its empty line; 0 while that has not come. */
static size_t head_length(const struct buf *input)
{
    const char *from = (const char *)input->data, *end = from + input->length;
    struct line line;

    while (input->length > 0 && next_line(&from, end, &line))
        if (line.length == 0)
            return (size_t)(from - (const char *)input->data);
    return 0;
}

static bool feed_head(struct http_response *response, struct buf *input, bool *progress,
                      struct status *status)
{
    size_t length = head_length(input);

    *progress = length > 0;
    if (length > HTTP_HEAD_MAX_BYTES || (length == 0 && input->length > HTTP_HEAD_MAX_BYTES))
        return status_fail(status, OUTCOME_KME, "the head of its answer exceeds %d octets",
                           HTTP_HEAD_MAX_BYTES);
    if (length == 0)
        return true;
    if (!parse_head(response, (const char *)input->data, length, status))
        return false;
    buf_consume(input, length);
    return true;
}

static bool feed_counted(struct http_response *response, struct buf *input, struct status *status)
{
    size_t take = input->length;

    if (response->framing == HTTP_LENGTH && take > response->left)
        take = response->left;
    buf_put(&response->body, input->data, take);
    if (response->body.failed)
        return status_fail(status, OUTCOME_KME, "its answer exceeds %zu octets",
                           response->body.max_bytes);
    buf_consume(input, take);
    if (response->framing == HTTP_LENGTH) {
        response->left -= take;
        if (response->left == 0)
            response->phase = HTTP_COMPLETE;
    }
    return true;
}

bool http_response_feed(struct http_response *response, struct buf *input, struct status *status)
{
    bool progress = true;

    while (response->phase == HTTP_HEAD && progress)
        if (!feed_head(response, input, &progress, status))
            return false;
    if (response->phase != HTTP_BODY || input->length == 0)
        return true;
    if (response->framing == HTTP_CHUNKED)
        return http_chunks_feed(response, input, status);
    return feed_counted(response, input, status);
}

bool http_response_end(struct http_response *response, struct status *status)
{
    if (response->phase == HTTP_BODY && response->framing == HTTP_UNTIL_END)
        response->phase = HTTP_COMPLETE;
    response->keep_alive = false;
    return response->phase == HTTP_COMPLETE ||
           status_fail(status, OUTCOME_KME, "it closed the connection in the middle of its answer");
}
