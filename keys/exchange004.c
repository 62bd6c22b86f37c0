/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/exchange004.h"

enum { POST_MS = 5 };

/* Reads on until a whole message stands at the front of the input. */
static bool read_frame(struct kept_connection *kept, struct etsi004_frame *frame,
                       const struct deadline *deadline, struct status *status)
{
    bool ended = false;

    for (;;) {
        switch (etsi004_frame_take(&kept->input, frame)) {
        case ETSI004_COMPLETE:
            return true;
        case ETSI004_TOO_LARGE:
            return status_fail(status, OUTCOME_KME, "its answer exceeds %d octets",
                               ETSI004_PAYLOAD_MAX_BYTES);
        case ETSI004_INCOMPLETE:
            break;
        }
        if (!connection_receive(kept->connection, &kept->input, &ended, deadline, status))
            return kept->input.length > 0 ? status_prefix(status, "in the middle of its answer")
                                          : false;
        if (ended)
            return status_fail(status, OUTCOME_KME,
                               "it closed the connection while waiting for the answer");
    }
}

static void consume(struct kept_connection *kept, const struct etsi004_frame *frame)
{
    buf_consume(&kept->input, ETSI004_HEADER_BYTES + frame->payload_bytes);
}

/* Answers to CLOSE that nobody waited for. Another message in their place is the answer to what
 * was asked since: the key server does not answer CLOSE. */
static bool skip_unread(struct kept_connection *kept, const struct deadline *deadline,
                        struct status *status)
{
    struct etsi004_frame frame;

    while (kept->unread_answers > 0) {
        if (!read_frame(kept, &frame, deadline, status))
            return false;
        if (frame.service != ETSI004_CLOSE_ANSWER) {
            kept->unread_answers = 0;
            return true;
        }
        consume(kept, &frame);
        kept->unread_answers--;
    }
    return true;
}

/* An idle connection whose old answers, as far as they are there, have been read. */
static struct kept_connection *take_idle(struct connection_pool *pool)
{
    struct kept_connection *kept;

    while ((kept = connection_pool_take(pool)) != NULL) {
        struct deadline now = deadline_in_ms(0);
        struct status status = STATUS_INIT;
        bool was_unread = kept->unread_answers > 0;

        /* When the last answer has been read it can be told whether the connection is alive. */
        if (skip_unread(kept, &now, &status) ? !was_unread || !connection_is_stale(kept->connection)
                                             : status.outcome == OUTCOME_TIMEOUT)
            return kept;
        kept_connection_drop(kept);
    }
    return NULL;
}

/* Octets that belong to no answer make a connection unusable. */
void exchange004_give_back(struct connection_pool *pool, struct kept_connection *kept)
{
    if (kept->unread_answers == 0 && kept->input.length > 0)
        kept_connection_drop(kept);
    else
        connection_pool_put(pool, kept);
}

bool exchange004_read(struct kept_connection *kept, size_t count, size_t *taken,
                      take_answer_fn *take, void *argument, const struct deadline *deadline,
                      struct status *status)
{
    struct etsi004_frame frame;

    if (!skip_unread(kept, deadline, status))
        return false;
    while (*taken < count) {
        if (!read_frame(kept, &frame, deadline, status))
            return false;
        (*taken)++;
        if (!take(argument, *taken - 1, &frame, status))
            return false;
        consume(kept, &frame);
    }
    return true;
}

static enum progress read_answers(struct kept_connection *kept, size_t count, take_answer_fn *take,
                                  void *argument, const struct deadline *deadline,
                                  struct status *status)
{
    size_t taken = 0;

    if (exchange004_read(kept, count, &taken, take, argument, deadline, status))
        return ANSWERED;
    return taken > 0 ? ANSWERING : SENT;
}

/* Takes the connection over. */
static enum progress attempt(struct connection_pool *pool, struct kept_connection *kept,
                             const struct buf *requests, size_t count, take_answer_fn *take,
                             void *argument, const struct deadline *deadline, struct status *status)
{
    enum progress progress = NOTHING_SENT;

    if (connection_send(kept->connection, requests->data, requests->length, deadline, status))
        progress = read_answers(kept, count, take, argument, deadline, status);
    /* There is no request ID: after a failure a late answer would be taken for the next one. */
    if (progress == ANSWERED)
        exchange004_give_back(pool, kept);
    else
        kept_connection_drop(kept);
    return progress;
}

bool exchange004(struct connection_pool *pool, const struct buf *requests, size_t count,
                 enum repeatable repeatable, take_answer_fn *take, void *argument,
                 const struct deadline *deadline, struct status *status)
{
    struct kept_connection *kept = take_idle(pool);
    struct status failure = STATUS_INIT;
    enum progress progress;

    if (kept != NULL) {
        progress = attempt(pool, kept, requests, count, take, argument, deadline, &failure);
        if (progress == ANSWERED)
            return true;
        if (!may_repeat(progress, repeatable, &failure))
            return status_fail(status, failure.outcome, "%s", failure.text);
    }
    kept = connection_pool_open(pool, deadline, status);
    return kept != NULL &&
           attempt(pool, kept, requests, count, take, argument, deadline, status) == ANSWERED;
}

void exchange004_post_close(struct connection_pool *pool, const struct buf *request)
{
    struct kept_connection *kept = take_idle(pool);
    struct deadline deadline = deadline_in_ms(POST_MS);
    struct status status = STATUS_INIT;

    if (kept == NULL)
        return;
    if (connection_send(kept->connection, request->data, request->length, &deadline, &status)) {
        kept->unread_answers++;
        connection_pool_put(pool, kept);
    } else {
        kept_connection_drop(kept);
    }
}

bool exchange004_alone(struct connection_pool *pool, const struct buf *request, size_t place,
                       take_answer_fn *take, void *argument, const struct deadline *deadline,
                       struct status *status)
{
    struct kept_connection *kept = connection_pool_open(pool, deadline, status);
    struct etsi004_frame frame;
    bool ok;

    if (kept == NULL)
        return false;
    ok = connection_send(kept->connection, request->data, request->length, deadline, status) &&
         read_frame(kept, &frame, deadline, status) && take(argument, place, &frame, status);
    kept_connection_drop(kept);
    return ok;
}
