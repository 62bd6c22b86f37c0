/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check_http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "etsi/etsi014.h"
#include "net/http.h"

enum {
    ANSWER_MAX_BYTES = ETSI014_RESPONSE_MAX_BYTES,
    INPUT_MAX_BYTES = ANSWER_MAX_BYTES + 2 * HTTP_HEAD_MAX_BYTES,
    INTERIM_PLACE = 9 /* of the first digit of the code */
};

void https_init(struct https *https, struct endpoint *endpoint)
{
    *https = (struct https){.endpoint = endpoint};
    buf_init(&https->input, INPUT_MAX_BYTES);
}

void https_close(struct https *https)
{
    connection_close(https->connection);
    https->connection = NULL;
    buf_free(&https->input);
}

void answer_init(struct answer *answer)
{
    *answer = (struct answer){0};
    buf_init(&answer->head, HTTP_HEAD_MAX_BYTES);
    buf_init(&answer->body, ANSWER_MAX_BYTES);
}

void answer_free(struct answer *answer)
{
    buf_free(&answer->head);
    buf_free(&answer->body);
}

/* A member, not the word within an error text, where its quotes are escaped. */
bool octets_have_keys(const void *octets, size_t length)
{
    static const char member[] = "\"key\"";
    const char *at = octets, *end = at + length;

    while (at != NULL && at < end &&
           (at = memmem(at, (size_t)(end - at), member, strlen(member))) != NULL) {
        if (at == (const char *)octets || at[-1] != '\\')
            return true;
        at++;
    }
    return false;
}

/* The value of the field in the line at `line`, which ends at `end`; NULL when it is another. */
static const char *value_in(const char *line, const char *end, const char *name)
{
    size_t length = strlen(name);

    if ((size_t)(end - line) <= length || line[length] != ':' ||
        strncasecmp(line, name, length) != 0)
        return NULL;
    for (line += length + 1; line < end && (*line == ' ' || *line == '\t');)
        line++;
    return line;
}

bool answer_field(const struct answer *answer, const char *name, char *value, size_t size)
{
    const char *at = (const char *)answer->head.data, *end = at + answer->head.length;

    while (answer->head.length > 0 && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *found;

        if (newline == NULL)
            return false;
        found = value_in(at, newline, name);
        if (found != NULL) {
            size_t length = (size_t)(newline - found);

            while (length > 0 && strchr("\r \t", found[length - 1]) != NULL)
                length--;
            snprintf(value, size, "%.*s", (int)length, found);
            return true;
        }
        at = newline + 1;
    }
    return false;
}

bool answer_field_is(const struct answer *answer, const char *name, const char *word)
{
    char value[128];

    return answer_field(answer, name, value, sizeof(value)) &&
           strncasecmp(value, word, strlen(word)) == 0;
}

void https_put(struct buf *octets, const struct https *https, const struct ask *ask)
{
    const struct endpoint_address *address = endpoint_address(https->endpoint);
    const char *type = ask->content_type != NULL ? ask->content_type : "application/json";
    bool ipv6 = strchr(address->host, ':') != NULL;

    buf_put_text(octets, ask->method != NULL ? ask->method : ask->body != NULL ? "POST" : "GET");
    buf_put_text(octets, " ");
    buf_put_text(octets, ask->path);
    buf_put_format(octets, " HTTP/1.1\r\nHost: %s%s%s:%s\r\nAccept: application/json\r\n",
                   ipv6 ? "[" : "", address->host, ipv6 ? "]" : "", address->port);
    if (ask->fields != NULL)
        buf_put_text(octets, ask->fields);
    if (ask->body != NULL && *type != '\0')
        buf_put_format(octets, "Content-Type: %s\r\n", type);
    if (ask->body != NULL)
        buf_put_format(octets, "Content-Length: %zu\r\n", ask->length);
    buf_put_text(octets, "\r\n");
    if (ask->body != NULL)
        buf_put(octets, ask->body, ask->length);
}

bool https_open(struct https *https, const struct deadline *deadline, struct status *status)
{
    if (https->connection != NULL && https->input.length == 0 &&
        !connection_is_stale(https->connection))
        return true;
    https_close(https);
    https->connection = connection_open(https->endpoint, deadline, status);
    return https->connection != NULL || endpoint_blame(https->endpoint, status);
}

bool https_send(struct https *https, const void *octets, size_t length,
                const struct deadline *deadline, struct status *status)
{
    if (connection_send(https->connection, octets, length, deadline, status))
        return true;
    https_close(https);
    return endpoint_blame(https->endpoint, status);
}

/* Octets of the head at the front of the input, with its empty line; 0 = not all of it yet. */
static size_t head_length(const struct buf *input)
{
    const char *end = input->length > 0 ? memmem(input->data, input->length, "\r\n\r\n", 4) : NULL;

    return end != NULL ? (size_t)(end - (const char *)input->data) + 4 : 0;
}

/* One head at a time, so that the final one can be kept. */
static bool feed_head(struct https *https, struct http_response *response, struct answer *answer,
                      bool *progress, struct status *status)
{
    size_t length = head_length(&https->input);
    struct buf head;
    bool ok;

    *progress = length > 0;
    if (length == 0)
        return https->input.length <= HTTP_HEAD_MAX_BYTES ||
               status_fail(status, OUTCOME_KME, "the head of its answer exceeds %d octets",
                           HTTP_HEAD_MAX_BYTES);
    buf_init(&head, length);
    buf_put(&head, https->input.data, length);
    buf_reset(&answer->head);
    buf_put(&answer->head, https->input.data, length);
    buf_consume(&https->input, length);
    ok = !head.failed && http_response_feed(response, &head, status);
    buf_free(&head);
    if (ok && response->phase == HTTP_HEAD)
        answer->interim_code = response->code;
    return ok || status_fail(status, OUTCOME_INTERNAL, "out of memory for an answer");
}

static bool feed(struct https *https, struct http_response *response, struct answer *answer,
                 struct status *status)
{
    bool progress = true;

    while (response->phase == HTTP_HEAD && progress)
        if (!feed_head(https, response, answer, &progress, status))
            return false;
    return response->phase != HTTP_BODY || http_response_feed(response, &https->input, status);
}

static bool receive_all(struct https *https, struct http_response *response, struct answer *answer,
                        const struct deadline *deadline, struct status *status)
{
    bool ended = false;

    for (;;) {
        if (!feed(https, response, answer, status))
            return false;
        if (response->phase == HTTP_COMPLETE)
            return true;
        if (!connection_receive(https->connection, &https->input, &ended, deadline, status))
            return false;
        if (ended)
            return http_response_end(response, status);
    }
}

bool https_receive(struct https *https, struct answer *answer, const struct deadline *deadline,
                   struct status *status)
{
    struct http_response response;
    bool ok;

    http_response_init(&response, ANSWER_MAX_BYTES);
    ok = receive_all(https, &response, answer, deadline, status);
    if (ok) {
        answer->code = response.code;
        answer->keep_alive = response.keep_alive;
        buf_free(&answer->body);
        answer->body = response.body;
    } else {
        http_response_free(&response);
        endpoint_blame(https->endpoint, status);
    }
    if (!ok || !response.keep_alive)
        https_close(https);
    return ok;
}

bool https_await_interim(struct https *https, const struct deadline *deadline,
                         struct status *status)
{
    bool ended = false;

    while (head_length(&https->input) == 0) {
        if (!connection_receive(https->connection, &https->input, &ended, deadline, status))
            return false;
        if (ended)
            return status_fail(status, OUTCOME_KME, "it closed the connection");
    }
    return https->input.length > INTERIM_PLACE &&
           memcmp(https->input.data, "HTTP/1.", strlen("HTTP/1.")) == 0 &&
           https->input.data[INTERIM_PLACE] == '1';
}

bool https_call(struct https *https, const struct ask *ask, struct answer *answer,
                const struct deadline *deadline, struct status *status)
{
    struct buf octets;
    bool ok;

    buf_init(&octets, ask->length + 2 * HTTP_HEAD_MAX_BYTES);
    https_put(&octets, https, ask);
    ok = !octets.failed || status_fail(status, OUTCOME_INTERNAL, "out of memory for a request");
    ok = ok && https_open(https, deadline, status) &&
         https_send(https, octets.data, octets.length, deadline, status) &&
         https_receive(https, answer, deadline, status);
    buf_free(&octets);
    return ok;
}
