/* SPDX-License-Identifier: Apache-2.0 */
/* What the other key server tells about key streams. */
#include <string.h>

#include "kme/config.h"
#include "kme/policy004.h"
#include "kme/stream004.h"
#include "kme/uri004.h"

/* A peer speaks for its own SAEs only. */
static bool is_behind(const struct streams004 *streams, const char *id)
{
    return kme_config_link_of_sae(streams->env->config, id) ==
           peer_config(streams->env, streams->peer);
}

static bool is_burnt(const struct streams004 *streams, const struct key_id *id)
{
    return burnt004_has(&streams->catalogue->burnt, id) &&
           !policy004_of(streams->env->config)->reopens;
}

static void refuse(struct streams004 *streams, const struct frame_stream *frame,
                   enum stream_end_reason reason)
{
    stream004_tell_closed(streams, &frame->stream_id, frame->opening, reason);
}

/* An ID that the peer made is on its record since before. One that its SAE brought goes to its disk
 * only now; so it goes to ours now, too, should both be killed. */
static bool put_on_record(struct streams004 *streams, const struct frame_stream *frame)
{
    struct record004 *record = &streams->catalogue->record;
    uint64_t ticket;

    return frame->u.open.generated ? record004_put_later(record, &frame->stream_id)
                                   : record004_put(record, &frame->stream_id, &ticket);
}

static void accept_new(struct streams004 *streams, const struct frame_stream *frame)
{
    const struct stream_opening *open = &frame->u.open;
    const char *why = NULL;

    if (!kme_config_has_004(streams->env->config))
        why = "no ETSI 004 here";
    else if (kme_config_sae(streams->env->config, open->responder) == NULL)
        why = "no such SAE";
    else if (!is_behind(streams, open->initiator))
        why = "its SAE is not behind that link";
    else if (!catalogue004_has_room(streams->catalogue, streams->env->config, NULL))
        why = "max_streams are there";
    else if (!put_on_record(streams, frame))
        why = "the store refuses its ID";
    else if (stream004_new(streams, frame, false) == NULL)
        why = "out of memory";
    if (why == NULL)
        return;
    log_line(streams->env->log, LOG_LEVEL_WARN, "a stream of '%s' for '%s' is refused: %s",
             open->initiator, open->responder, why);
    refuse(streams, frame, STREAM_END_REFUSED);
}

/* Both ends have opened the same ID first. An ID that a key server made is its own; between two
 * that SAEs brought, the key server that dials the link wins. */
static bool peer_wins(const struct streams004 *streams, const struct stream004 *stream,
                      const struct stream_opening *open)
{
    if (open->generated != stream->generated)
        return open->generated;
    return strcmp(streams->peer->kme_id, streams->env->config->kme_id) < 0;
}

static bool same_pair(const struct stream004 *stream, const struct stream_opening *open)
{
    return strcmp(stream->local, open->responder) == 0 &&
           strcmp(stream->peer, open->initiator) == 0 &&
           uri004_same_pair(stream->source, stream->destination, open->source, open->destination);
}

static void on_open(struct streams004 *streams, const struct frame_stream *frame)
{
    struct stream004 *stream = catalogue004_find(streams->catalogue, &frame->stream_id);

    if (stream == NULL) {
        if (is_burnt(streams, &frame->stream_id))
            refuse(streams, frame, STREAM_END_IN_USE);
        else
            accept_new(streams, frame);
    } else if (stream->streams != streams || !stream->ours ||
               stream->state != STATE004_LOCAL_ONLY) {
        refuse(streams, frame, STREAM_END_IN_USE);
    } else if (!peer_wins(streams, stream, &frame->u.open)) {
        return; /* it yields when it hears of ours */
    } else if (same_pair(stream, &frame->u.open)) {
        stream004_yield(streams, stream, frame);
        stream004_tell_joined(streams, stream);
        stream004_move(streams, stream, EVENT004_PEER_OPENED, ETSI004_SUCCESS);
    } else {
        stream004_tell_closed(streams, &stream->id, stream->opening, STREAM_END_CLOSED);
        stream004_move(streams, stream, EVENT004_FORGOTTEN, ETSI004_IN_USE);
        accept_new(streams, frame);
    }
}

/* The stream that the frame means; NULL when it is gone. */
static struct stream004 *meant(const struct streams004 *streams, const struct frame_stream *frame)
{
    struct stream004 *stream = catalogue004_find(streams->catalogue, &frame->stream_id);

    return stream != NULL && stream->streams == streams && stream->opening == frame->opening
               ? stream
               : NULL;
}

static void on_joined(struct streams004 *streams, const struct frame_stream *frame)
{
    struct stream004 *stream = meant(streams, frame);

    if (stream == NULL || !stream->ours)
        return;
    stream004_move(streams, stream, EVENT004_PEER_OPENED, ETSI004_SUCCESS);
    if (stream->state == STATE004_BOTH && !stream->generated)
        chunk004_request(streams, stream, 0);
}

static void on_chunk(struct streams004 *streams, const struct frame_stream *frame)
{
    chunk004_arrived(streams, meant(streams, frame), &frame->u.chunk);
}

static void on_want(struct streams004 *streams, const struct frame_stream *frame)
{
    struct stream004 *stream = meant(streams, frame);

    if (stream != NULL && stream->ours && stream->state == STATE004_BOTH &&
        window004_admits_peer(&stream->window, frame->u.want.index))
        chunk004_request(streams, stream, frame->u.want.index);
}

static void on_closed(struct streams004 *streams, const struct frame_stream *frame)
{
    static const enum etsi004_outcome verdicts[STREAM_END_REASONS] = {
        [STREAM_END_CLOSED] = ETSI004_PEER_NOT_CONNECTED,
        [STREAM_END_IN_USE] = ETSI004_IN_USE,
        [STREAM_END_REFUSED] = ETSI004_NO_QKD_CONNECTION,
    };
    struct stream004 *stream = meant(streams, frame);

    if (stream != NULL)
        stream004_move(streams, stream, EVENT004_PEER_CLOSED, verdicts[frame->u.closed.reason]);
}

static void on_frame(void *arg, const struct frame *frame)
{
    static const struct {
        enum frame_type type;
        void (*take)(struct streams004 *, const struct frame_stream *);
    } takers[] = {
        {FRAME_STREAM_OPEN, on_open},     {FRAME_STREAM_JOINED, on_joined},
        {FRAME_STREAM_CHUNK, on_chunk},   {FRAME_STREAM_WANT, on_want},
        {FRAME_STREAM_CLOSED, on_closed},
    };

    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++)
        if (takers[i].type == frame->type)
            takers[i].take(arg, &frame->u.stream);
}

/* A peer that started again knows none of our streams. */
static void on_up(void *arg, bool resumed)
{
    struct streams004 *streams = arg;
    struct stream004 *stream;

    TAILQ_FOREACH(stream, &streams->all, next)
    stream004_wake(stream); /* who waits may ask again */
    if (!resumed)
        while ((stream = TAILQ_FIRST(&streams->all)) != NULL)
            stream004_move(streams, stream, EVENT004_FORGOTTEN, ETSI004_NO_QKD_CONNECTION);
    chunk004_serve(streams);
}

static void on_stocked(void *arg)
{
    chunk004_serve(arg);
}

const struct link_streams peer004_events = {on_up, on_frame, on_stocked};
