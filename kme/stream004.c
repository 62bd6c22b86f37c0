/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/stream004.h"

#include <string.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "base/deadline.h"
#include "kme/config.h"
#include "kme/metrics.h"
#include "kme/shelf.h"

#define NS_PER_S INT64_C(1000000000)

static void forget_record(struct stream004 *stream)
{
    if (stream->unrecorded)
        TAILQ_REMOVE(&stream->streams->unrecorded, stream, next_unrecorded);
    stream->unrecorded = false;
}

void stream004_record(struct stream004 *stream, uint64_t ticket)
{
    forget_record(stream);
    stream->ticket = ticket;
    stream->unrecorded = !record004_is_settled(&stream->streams->catalogue->record, ticket);
    if (stream->unrecorded)
        TAILQ_INSERT_TAIL(&stream->streams->unrecorded, stream, next_unrecorded);
}

static void on_settled(void *arg, uint64_t ticket)
{
    struct streams004 *streams = arg;
    struct stream004 *stream;

    while ((stream = TAILQ_FIRST(&streams->unrecorded)) != NULL && stream->ticket <= ticket) {
        forget_record(stream);
        chunk004_recorded(streams, stream);
        stream004_wake(stream);
    }
}

static const struct shelf_events shelf_events = {on_settled, NULL};

struct streams004 *streams004_new(const struct env *env, struct catalogue004 *catalogue,
                                  struct peer *peer, struct status *status)
{
    struct streams004 *streams = OPENSSL_zalloc(sizeof(*streams));

    if (streams == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for key streams");
        return NULL;
    }
    streams->env = env;
    streams->catalogue = catalogue;
    streams->peer = peer;
    TAILQ_INIT(&streams->all);
    TAILQ_INIT(&streams->wishing);
    TAILQ_INIT(&streams->unrecorded);
    if (env->shelf != NULL && !shelf_subscribe(env->shelf, &shelf_events, streams)) {
        OPENSSL_free(streams);
        status_fail(status, OUTCOME_INTERNAL, "too many links share the store");
        return NULL;
    }
    link_on_streams(peer->link, &peer004_events, streams);
    return streams;
}

static void count_lost(struct streams004 *streams, struct stream004 *stream,
                       enum metric_loss reason)
{
    streams->peer->counters.lost_bits[reason] += stream->window.wiped_bits;
    stream->window.wiped_bits = 0;
}

static void wipe_chunks(struct streams004 *streams, struct stream004 *stream)
{
    chunk004_drop_wishes(streams, stream);
    window004_clear(&stream->window);
    count_lost(streams, stream, LOSS_CLOSED);
}

/* Waiters learn of it from the event loop: they are not on our stack. */
static void dismiss_waiters(struct stream004 *stream, enum etsi004_outcome verdict)
{
    struct waiter004 *waiter;

    while ((waiter = TAILQ_FIRST(&stream->waiters)) != NULL) {
        waiter->verdict = verdict;
        event_active(waiter->wake, EV_TIMEOUT, 0);
        waiter004_end(waiter);
    }
}

static void destroy(struct streams004 *streams, struct stream004 *stream)
{
    wipe_chunks(streams, stream);
    forget_record(stream);
    stream004_attach(stream, NULL);
    id_table_take(&streams->catalogue->table, &stream->id);
    TAILQ_REMOVE(&streams->all, stream, next);
    streams->min_bps -= stream->qos.min_bps;
    if (stream->opener != NULL)
        stream->opener->count--;
    OPENSSL_free(stream);
}

void streams004_free(struct streams004 *streams)
{
    struct stream004 *stream;

    if (streams == NULL)
        return;
    link_on_streams(streams->peer->link, NULL, NULL);
    if (streams->env->shelf != NULL)
        shelf_unsubscribe(streams->env->shelf, streams);
    while ((stream = TAILQ_FIRST(&streams->all)) != NULL)
        destroy(streams, stream);
    OPENSSL_free(streams);
}

static const char *keep_text(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *kept = *at;

    memcpy(kept, text, size);
    *at += size;
    return kept;
}

static struct stream004 *allocate(const struct stream_opening *opening, bool ours)
{
    const char *local = ours ? opening->initiator : opening->responder;
    const char *peer = ours ? opening->responder : opening->initiator;
    size_t size = sizeof(struct stream004) + strlen(local) + strlen(peer) +
                  strlen(opening->source) + strlen(opening->destination) + 4;
    struct stream004 *stream = OPENSSL_zalloc(size);
    char *at;

    if (stream == NULL)
        return NULL;
    at = stream->texts;
    stream->size_bytes = size;
    stream->local = keep_text(&at, local);
    stream->peer = keep_text(&at, peer);
    stream->source = keep_text(&at, opening->source);
    stream->destination = keep_text(&at, opening->destination);
    stream->qos = opening->qos;
    stream->generated = opening->generated;
    stream->ours = ours;
    TAILQ_INIT(&stream->waiters);
    STAILQ_INIT(&stream->wishes);
    return stream;
}

uint64_t streams004_next_opening(struct streams004 *streams)
{
    bool is_lower = strcmp(streams->env->config->kme_id, streams->peer->kme_id) < 0;

    return ++streams->openings << 1 | (is_lower ? 1 : 0);
}

struct stream004 *stream004_new(struct streams004 *streams, const struct frame_stream *frame,
                                bool ours)
{
    struct stream004 *stream = allocate(&frame->u.open, ours);

    if (stream == NULL)
        return NULL;
    stream->streams = streams;
    stream->id = frame->stream_id;
    stream->opening = frame->opening;
    if (!id_table_put(&streams->catalogue->table, stream)) {
        OPENSSL_free(stream);
        return NULL;
    }
    stream->state = ours ? STATE004_LOCAL_ONLY : STATE004_PEER_ONLY;
    stream->oldest_ns = INT64_MAX;
    stream->opened_ns = stream->used_ns = monotonic_ns();
    window004_init(&stream->window, (uint32_t)streams->env->config->limits.stream_window_chunks);
    stream->opener = ours ? catalogue004_opener(streams->catalogue, stream->local) : NULL;
    if (stream->opener != NULL)
        stream->opener->count++;
    streams->min_bps += stream->qos.min_bps;
    streams->catalogue->counts[stream->state]++;
    streams->env->metrics->streams_opened++;
    TAILQ_INSERT_TAIL(&streams->all, stream, next);
    return stream;
}

bool stream004_move(struct streams004 *streams, struct stream004 *stream, enum event004 event,
                    enum etsi004_outcome verdict)
{
    enum state004 after = state004_after(stream->state, event);

    stream->used_ns = monotonic_ns();
    if (after == stream->state)
        return true;
    streams->catalogue->counts[stream->state]--;
    stream->state = after;
    if (after == STATE004_DEAD) {
        streams->env->metrics->streams_closed++;
        burnt004_add(&streams->catalogue->burnt, &stream->id, stream->used_ns);
        dismiss_waiters(stream, verdict);
        destroy(streams, stream);
        return false;
    }
    streams->catalogue->counts[after]++;
    if (after == STATE004_PEER_LEFT) {
        dismiss_waiters(stream, verdict);
        wipe_chunks(streams, stream);
        stream004_attach(stream, NULL);
    } else if (after == STATE004_LOCAL_LEFT) {
        chunk004_drop_wishes(streams, stream);
    }
    stream004_wake(stream);
    return true;
}

void stream004_close_here(struct streams004 *streams, struct stream004 *stream)
{
    stream004_tell_closed(streams, &stream->id, stream->opening, STREAM_END_CLOSED);
    stream004_move(streams, stream, EVENT004_LOCAL_CLOSED, ETSI004_PEER_NOT_CONNECTED);
}

void stream004_yield(struct streams004 *streams, struct stream004 *stream,
                     const struct frame_stream *frame)
{
    const struct stream_opening *opening = &frame->u.open;
    uint32_t width = stream->window.width;

    stream004_tell_closed(streams, &stream->id, stream->opening, STREAM_END_CLOSED);
    stream->opening = frame->opening;

    wipe_chunks(streams, stream);
    window004_init(&stream->window, width);
    if (stream->opener != NULL)
        stream->opener->count--;
    stream->opener = NULL;
    stream->ours = false;
    stream->generated = opening->generated;
    streams->min_bps += (int64_t)opening->qos.min_bps - stream->qos.min_bps;
    stream->qos = opening->qos;
}

void stream004_attach(struct stream004 *stream, struct attachment004 *attachment)
{
    if (stream->attachment != NULL)
        LIST_REMOVE(stream, next_attached);
    stream->attachment = attachment;
    if (attachment != NULL)
        LIST_INSERT_HEAD(&attachment->streams, stream, next_attached);
}

void attachment004_end(struct attachment004 *attachment)
{
    struct stream004 *stream;
    int64_t now_ns = monotonic_ns();

    while ((stream = LIST_FIRST(&attachment->streams)) != NULL) {
        stream->used_ns = now_ns;
        stream004_attach(stream, NULL);
    }
}

void stream004_wait(struct stream004 *stream, struct waiter004 *waiter)
{
    if (waiter->stream == stream)
        return;
    waiter004_end(waiter);
    waiter->stream = stream;
    TAILQ_INSERT_TAIL(&stream->waiters, waiter, next);
}

void waiter004_end(struct waiter004 *waiter)
{
    if (waiter->stream != NULL)
        TAILQ_REMOVE(&waiter->stream->waiters, waiter, next);
    waiter->stream = NULL;
}

void stream004_wake(struct stream004 *stream)
{
    struct waiter004 *waiter;

    TAILQ_FOREACH(waiter, &stream->waiters, next)
    event_active(waiter->wake, EV_TIMEOUT, 0);
}

static void tell(struct streams004 *streams, struct frame *frame)
{
    if (!link_send_stream(streams->peer->link, frame, 0))
        log_line(streams->env->log, LOG_LEVEL_ERROR,
                 "out of memory to tell the peer about a stream");
}

void stream004_tell_joined(struct streams004 *streams, const struct stream004 *stream)
{
    struct frame frame;

    frame.type = FRAME_STREAM_JOINED;
    frame.u.stream.stream_id = stream->id;
    frame.u.stream.opening = stream->opening;
    tell(streams, &frame);
}

void stream004_tell_closed(struct streams004 *streams, const struct key_id *id, uint64_t opening,
                           enum stream_end_reason reason)
{
    struct frame frame;

    frame.type = FRAME_STREAM_CLOSED;
    frame.u.stream.stream_id = *id;
    frame.u.stream.opening = opening;
    frame.u.stream.u.closed.reason = reason;
    tell(streams, &frame);
}

static void expire_chunks(struct streams004 *streams, struct stream004 *stream, int64_t now_ns)
{
    int64_t before_ns = now_ns - (int64_t)stream->qos.ttl_s * NS_PER_S;

    if (stream->oldest_ns > before_ns)
        return;
    stream->oldest_ns = window004_expire(&stream->window, before_ns);
    count_lost(streams, stream, LOSS_EXPIRED);
}

/* Nobody holds a connection to it, and for as long as its chunks live nobody has used it. */
static bool is_abandoned(const struct stream004 *stream, int64_t now_ns)
{
    return stream->state != STATE004_PEER_ONLY && stream->attachment == NULL &&
           now_ns - stream->used_ns >= (int64_t)stream->qos.ttl_s * NS_PER_S;
}

void streams004_tick(struct streams004 *streams)
{
    int64_t now_ns = monotonic_ns();
    struct stream004 *stream = TAILQ_FIRST(&streams->all), *next;

    for (; stream != NULL; stream = next) {
        next = TAILQ_NEXT(stream, next);
        expire_chunks(streams, stream, now_ns);
        if (!is_abandoned(stream, now_ns))
            continue;
        if (stream->state == STATE004_PEER_LEFT)
            stream004_move(streams, stream, EVENT004_FORGOTTEN, ETSI004_PEER_NOT_CONNECTED);
        else
            stream004_close_here(streams, stream);
    }
}
