/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check_http.h"

#include <stdio.h>
#include <string.h>

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

static bool receive_all(struct https *https, struct http_response *response, struct answer *answer,
                        const struct deadline *deadline, struct status *status)
{
    bool ended = false;

    for (;;) {
        if (!answer_feed(answer, response, &https->input, status))
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

    while (answer_head_length(&https->input) == 0) {
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
