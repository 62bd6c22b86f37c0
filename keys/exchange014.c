/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/exchange014.h"

enum { INPUT_MAX_BYTES = HTTP_HEAD_MAX_BYTES + 8192 };

/* How far an exchange came, which decides whether it may be tried again. */
enum progress { NOTHING_SENT, SENT, ANSWERING, ANSWERED };

static bool read_response(struct connection *connection, struct http_response *response,
                          const struct deadline *deadline, enum progress *progress,
                          struct status *status)
{
    struct buf input;
    bool ok = true, ended = false;

    buf_init(&input, INPUT_MAX_BYTES);
    while (ok && response->phase != HTTP_COMPLETE) {
        ok = connection_receive(connection, &input, &ended, deadline, status);
        if (!ok)
            break;
        if (!ended)
            *progress = ANSWERING;
        ok = ended ? http_response_end(response, status)
                   : http_response_feed(response, &input, status);
    }
    if (ok)
        *progress = ANSWERED;
    /* Octets behind the answer belong to nothing that was asked. */
    if (input.length > 0)
        response->keep_alive = false;
    buf_free(&input);
    return ok;
}

static enum progress attempt(const struct exchange014 *exchange, struct connection *connection,
                             const struct buf *request, const struct deadline *deadline,
                             struct http_response *response, struct status *status)
{
    enum progress progress = NOTHING_SENT;

    if (connection_send(connection, request->data, request->length, deadline, status)) {
        progress = SENT;
        read_response(connection, response, deadline, &progress, status);
    }
    if (progress == ANSWERED && response->keep_alive)
        connection_pool_put(exchange->pool, connection);
    else
        connection_close(connection);
    return progress;
}

static bool may_repeat(enum progress progress, enum repeatable repeatable,
                       const struct status *status)
{
    if (status->outcome == OUTCOME_TIMEOUT)
        return false;
    return progress == NOTHING_SENT || (progress == SENT && repeatable == REPEAT_ONCE);
}

static struct connection *open_connection(const struct exchange014 *exchange,
                                          const struct deadline *deadline, struct status *status)
{
    struct connection *connection = connection_open(exchange->endpoint, deadline, status);

    if (connection != NULL)
        log_line(exchange->log, LOG_LEVEL_DEBUG, "connected to the key server at %s:%s",
                 endpoint_address(exchange->endpoint)->host,
                 endpoint_address(exchange->endpoint)->port);
    return connection;
}

bool exchange014_prepare(const struct exchange014 *exchange, const struct deadline *deadline,
                         struct status *status)
{
    struct connection *connection = connection_pool_take(exchange->pool);

    if (connection == NULL)
        connection = open_connection(exchange, deadline, status);
    if (connection == NULL)
        return false;
    connection_pool_put(exchange->pool, connection);
    return true;
}

bool exchange014(const struct exchange014 *exchange, const struct buf *request,
                 enum repeatable repeatable, const struct deadline *deadline,
                 struct http_response *response, struct status *status)
{
    struct connection *connection = connection_pool_take(exchange->pool);

    if (request->failed)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a request");
    if (connection != NULL) {
        struct status failure = STATUS_INIT;
        enum progress progress =
            attempt(exchange, connection, request, deadline, response, &failure);

        if (progress == ANSWERED)
            return true;
        if (!may_repeat(progress, repeatable, &failure))
            return status_fail(status, failure.outcome, "%s", failure.text);
        log_line(exchange->log, LOG_LEVEL_DEBUG, "a kept connection had gone (%s), opening another",
                 failure.text);
    }
    connection = open_connection(exchange, deadline, status);
    return connection != NULL &&
           attempt(exchange, connection, request, deadline, response, status) == ANSWERED;
}
