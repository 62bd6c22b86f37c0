/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/exchange014.h"

enum progress exchange014_read(struct kept_connection *kept, struct http_response *response,
                               const struct deadline *deadline, struct status *status)
{
    enum progress progress = SENT;
    bool ended = false;

    while (response->phase != HTTP_COMPLETE) {
        if (!connection_receive(kept->connection, &kept->input, &ended, deadline, status)) {
            if (progress == ANSWERING)
                status_prefix(status, "in the middle of its answer");
            return progress;
        }
        if (ended)
            return http_response_end(response, status) ? ANSWERED : progress;
        progress = ANSWERING;
        if (!http_response_feed(response, &kept->input, status))
            return progress;
    }
    return ANSWERED;
}

bool exchange014_post(struct kept_connection *kept, const struct buf *request,
                      const struct deadline *deadline, struct status *status)
{
    return connection_send(kept->connection, request->data, request->length, deadline, status);
}

/* Octets behind the answer belong to nothing that was asked. */
bool exchange014_is_clean(const struct kept_connection *kept, const struct http_response *response)
{
    return response->keep_alive && kept->input.length == 0;
}

/* Takes the connection over. */
static enum progress attempt(struct connection_pool *pool, struct kept_connection *kept,
                             const struct buf *request, const struct deadline *deadline,
                             struct http_response *response, struct status *status)
{
    enum progress progress = NOTHING_SENT;

    if (exchange014_post(kept, request, deadline, status))
        progress = exchange014_read(kept, response, deadline, status);
    if (progress == ANSWERED && exchange014_is_clean(kept, response))
        connection_pool_put(pool, kept);
    else
        kept_connection_drop(kept);
    return progress;
}

bool exchange014(struct connection_pool *pool, const struct buf *request,
                 enum repeatable repeatable, const struct deadline *deadline,
                 struct http_response *response, struct status *status)
{
    struct kept_connection *kept = connection_pool_take(pool);
    struct status failure = STATUS_INIT;
    enum progress progress;

    if (kept != NULL) {
        progress = attempt(pool, kept, request, deadline, response, &failure);
        if (progress == ANSWERED)
            return true;
        if (!may_repeat(progress, repeatable, &failure))
            return status_fail(status, failure.outcome, "%s", failure.text);
    }
    kept = connection_pool_open(pool, deadline, status);
    return kept != NULL && attempt(pool, kept, request, deadline, response, status) == ANSWERED;
}
