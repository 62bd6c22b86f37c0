/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/line004.h"

#include <string.h>

#include <openssl/crypto.h>

enum { LINE_INPUT_MAX_BYTES = 2 * ETSI004_PAYLOAD_MAX_BYTES, GLANCE_MS = 1, NS_PER_MS = 1000000 };

struct line004 {
    struct scene004 *scene;
    enum end004 end;
    struct connection *connection; /* NULL once dropped */
    struct buf input;              /* octets of answers, keys among them */
    bool ended;
    bool used; /* a request was sent over this connection */
    int64_t asked_ns;
};

static bool line_connect(struct line004 *line, struct status *status)
{
    struct deadline deadline = deadline_in_ms(line->scene->cast->patience_ms);
    struct endpoint *endpoint = line->scene->cast->endpoints[line->end];

    line->connection = connection_open(endpoint, &deadline, status);
    line->ended = line->used = false;
    return line->connection != NULL || endpoint_blame(endpoint, status);
}

struct line004 *line004_new(struct scene004 *scene, enum end004 end, struct status *status)
{
    struct line004 *line;

    if (scene->line_count == SCENE_LINES_MAX) {
        status_fail(status, OUTCOME_INTERNAL, "more than %d connections", SCENE_LINES_MAX);
        return NULL;
    }
    line = OPENSSL_zalloc(sizeof(*line));
    if (line == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for a connection");
        return NULL;
    }
    line->scene = scene;
    line->end = end;
    buf_init(&line->input, LINE_INPUT_MAX_BYTES);
    scene->lines[scene->line_count++] = line;
    return line_connect(line, status) ? line : NULL;
}

void line004_drop(struct line004 *line)
{
    connection_close(line->connection);
    line->connection = NULL;
    buf_reset(&line->input);
}

void line004_free(struct line004 *line)
{
    if (line == NULL)
        return;
    line004_drop(line);
    buf_free(&line->input);
    OPENSSL_free(line);
}

enum end004 line004_end(const struct line004 *line)
{
    return line->end;
}

bool line004_send(struct line004 *line, const struct buf *octets, struct status *status)
{
    struct deadline deadline = deadline_in_ms(line->scene->cast->patience_ms);

    if (octets->failed)
        return status_fail(status, OUTCOME_INTERNAL, "a request has no place in memory");
    line->asked_ns = monotonic_ns();
    line->used = true;
    return connection_send(line->connection, octets->data, octets->length, &deadline, status) ||
           status_prefix(status, "%s", end004_text(line->end));
}

/* More octets, or the end. */
static bool receive(struct line004 *line, const struct deadline *deadline, struct status *status)
{
    return connection_receive(line->connection, &line->input, &line->ended, deadline, status);
}

bool line004_ends(struct line004 *line, const char *what, struct status *status)
{
    struct deadline deadline = deadline_in_ms(line->scene->cast->patience_ms);
    struct status failure = STATUS_INIT;
    struct etsi004_frame frame;

    while (!line->ended && line->input.length == 0)
        if (!receive(line, &deadline, &failure))
            break;
    if (line->input.length > 0) {
        bool whole = etsi004_frame_take(&line->input, &frame) == ETSI004_COMPLETE;

        return status_fail(status, OUTCOME_KME,
                           "%s: expected the end of the connection, got %s of %zu octets", what,
                           whole ? "an answer" : "something", line->input.length);
    }
    /* Any way to end it will do: a reset as well as an orderly end. */
    if (failure.outcome == OUTCOME_TIMEOUT)
        return status_fail(status, OUTCOME_KME,
                           "%s: expected the end of the connection, got nothing within %d ms", what,
                           line->scene->cast->patience_ms);
    return true;
}

bool line004_is_silent(struct line004 *line)
{
    struct deadline deadline = deadline_in_ms(GLANCE_MS);
    struct status failure = STATUS_INIT;

    return line->input.length == 0 && !line->ended && !receive(line, &deadline, &failure) &&
           failure.outcome == OUTCOME_TIMEOUT;
}

static const char *service_name(enum etsi004_service asked)
{
    switch (asked) {
    case ETSI004_OPEN_CONNECT:
        return "OPEN_CONNECT";
    case ETSI004_GET_KEY:
        return "GET_KEY";
    default:
        return "CLOSE";
    }
}

static bool read_frame(struct line004 *line, struct etsi004_frame *frame, struct status *status)
{
    struct deadline deadline = deadline_in_ms(line->scene->cast->patience_ms);

    for (;;) {
        switch (etsi004_frame_take(&line->input, frame)) {
        case ETSI004_COMPLETE:
            return true;
        case ETSI004_TOO_LARGE:
            return status_fail(status, OUTCOME_KME, "its answer exceeds %d octets",
                               ETSI004_PAYLOAD_MAX_BYTES);
        case ETSI004_INCOMPLETE:
            break;
        }
        if (line->ended)
            return status_fail(status, OUTCOME_KME,
                               "it closed the connection instead of answering");
        if (!receive(line, &deadline, status))
            return false;
    }
}

/* The scene closes at its end what is open now. */
static void remember_stream(struct line004 *line, const struct key_id *id)
{
    struct scene004 *scene = line->scene;

    for (size_t i = 0; i < scene->opened_count; i++)
        if (scene->opened[i].end == line->end && key_id_equal(&scene->opened[i].id, id))
            return;
    if (scene->opened_count < 2 * SCENE_STREAMS_MAX)
        scene->opened[scene->opened_count++] = (struct opened004){line->end, *id};
}

static bool take_open(struct line004 *line, const struct etsi004_frame *frame,
                      struct reply004 *reply, struct status *status)
{
    struct etsi004_open_answer answer;

    if (!etsi004_open_answer_parse(frame, scene004_profile(line->scene), &answer, status))
        return false;
    reply->outcome = answer.outcome;
    reply->qos = answer.qos;
    reply->stream_id = answer.stream_id;
    if (!key_id_is_zero(&answer.stream_id))
        remember_stream(line, &answer.stream_id);
    return true;
}

static bool take_key(struct line004 *line, const struct etsi004_frame *frame,
                     struct reply004 *reply, struct status *status)
{
    struct scene004 *scene = line->scene;
    struct etsi004_key_answer answer;

    if (!etsi004_key_answer_parse(frame, scene004_profile(scene), &answer, status))
        return false;
    reply->outcome = answer.outcome;
    reply->index = answer.index;
    reply->metadata_bytes = answer.metadata_bytes;
    memcpy(reply->metadata, answer.metadata, sizeof(reply->metadata));
    if (answer.key == NULL)
        return true;
    if (scene->key_count == SCENE_KEYS_MAX) {
        secret_free(answer.key);
        return status_fail(status, OUTCOME_INTERNAL, "more than %d keys", SCENE_KEYS_MAX);
    }
    scene->keys[scene->key_count++] = answer.key;
    scene->delivered_bits += answer.key->size_bytes * 8;
    scene->delivered_count++;
    reply->key = answer.key;
    return true;
}

static bool take_reply(struct line004 *line, enum etsi004_service asked,
                       struct etsi004_frame *frame, struct reply004 *reply, struct status *status)
{
    reply->version = frame->version;
    reply->service = frame->service;
    reply->payload_bytes = frame->payload_bytes;
    frame->service = (uint8_t)(asked + 1); /* what came instead is for the check of that */
    switch (asked) {
    case ETSI004_OPEN_CONNECT:
        return take_open(line, frame, reply, status);
    case ETSI004_GET_KEY:
        return take_key(line, frame, reply, status);
    default:
        return etsi004_close_answer_parse(frame, scene004_profile(line->scene), &reply->outcome,
                                          status);
    }
}

bool line004_read(struct line004 *line, enum etsi004_service asked, struct reply004 *reply,
                  struct status *status)
{
    struct etsi004_frame frame;

    memset(reply, 0, sizeof(*reply));
    if (!read_frame(line, &frame, status))
        return status_prefix(status, "%s, %s", end004_text(line->end), service_name(asked));
    reply->took_ms = (monotonic_ns() - line->asked_ns) / NS_PER_MS;
    if (!take_reply(line, asked, &frame, reply, status))
        return status_prefix(status, "%s, %s", end004_text(line->end), service_name(asked));
    buf_consume(&line->input, ETSI004_HEADER_BYTES + frame.payload_bytes);
    return true;
}

/* Sends a request and wipes it. In W2 it goes over a connection that has carried none. */
static bool send_request(struct line004 *line, struct buf *request, struct status *status)
{
    bool ok = true;

    if (line->used && scene004_profile(line->scene) == ETSI004_W2) {
        line004_drop(line);
        ok = line_connect(line, status);
    }
    ok = ok && line004_send(line, request, status);
    buf_free(request);
    return ok;
}

bool line004_send_open(struct line004 *line, const struct etsi004_open *open, struct status *status)
{
    struct buf request;

    buf_init(&request, ETSI004_PAYLOAD_MAX_BYTES);
    etsi004_open_put(&request, scene004_profile(line->scene), open);
    /* Should the answer not come, the stream may be open all the same. */
    if (!key_id_is_zero(&open->stream_id))
        remember_stream(line, &open->stream_id);
    return send_request(line, &request, status);
}

bool line004_send_get_key(struct line004 *line, const struct key_id *id, uint32_t index,
                          uint32_t metadata_bytes, struct status *status)
{
    struct etsi004_get_key get_key = {*id, index, metadata_bytes};
    struct buf request;

    buf_init(&request, ETSI004_PAYLOAD_MAX_BYTES);
    etsi004_get_key_put(&request, scene004_profile(line->scene), &get_key);
    return send_request(line, &request, status);
}

bool line004_send_close(struct line004 *line, const struct key_id *id, struct status *status)
{
    struct buf request;

    buf_init(&request, ETSI004_PAYLOAD_MAX_BYTES);
    etsi004_close_put(&request, scene004_profile(line->scene), id);
    return send_request(line, &request, status);
}

bool line004_open(struct line004 *line, const struct etsi004_open *open, struct reply004 *reply,
                  struct status *status)
{
    return line004_send_open(line, open, status) &&
           line004_read(line, ETSI004_OPEN_CONNECT, reply, status);
}

bool line004_get_key_room(struct line004 *line, const struct key_id *id, uint32_t index,
                          uint32_t metadata_bytes, struct reply004 *reply, struct status *status)
{
    return line004_send_get_key(line, id, index, metadata_bytes, status) &&
           line004_read(line, ETSI004_GET_KEY, reply, status);
}

bool line004_get_key(struct line004 *line, const struct key_id *id, uint32_t index,
                     struct reply004 *reply, struct status *status)
{
    return line004_get_key_room(line, id, index, SCENE_METADATA_BYTES, reply, status);
}

bool line004_close(struct line004 *line, const struct key_id *id, struct reply004 *reply,
                   struct status *status)
{
    return line004_send_close(line, id, status) && line004_read(line, ETSI004_CLOSE, reply, status);
}
