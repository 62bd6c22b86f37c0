/* SPDX-License-Identifier: Apache-2.0 */
/* Where the chunks of key streams come from: cut here and announced, or asked of the peer. */
#include <string.h>

#include <openssl/crypto.h>

#include "base/deadline.h"
#include "kme/metrics.h"
#include "kme/stream004.h"

#define NS_PER_MS INT64_C(1000000)

struct wish004 {
    uint32_t index;
    STAILQ_ENTRY(wish004) next;
};

static int64_t patience_ns(const struct stream004 *stream)
{
    return (int64_t)stream->qos.timeout_ms * NS_PER_MS;
}

static bool hold(struct streams004 *streams, struct stream004 *stream, uint32_t index,
                 struct secret *key)
{
    int64_t now_ns = monotonic_ns();
    bool held = window004_hold(&stream->window, index, key, now_ns);

    if (!held) {
        streams->peer->counters.lost_bits[LOSS_DISPLACED] += key->size_bytes * 8;
        secret_free(key);
    } else if (now_ns < stream->oldest_ns) {
        stream->oldest_ns = now_ns;
    }
    streams->peer->counters.lost_bits[LOSS_DISPLACED] += stream->window.wiped_bits;
    stream->window.wiped_bits = 0;
    return held;
}

/* Both ends burn the chunk if it does not get into the window: its position is spent. */
static bool cut(struct streams004 *streams, struct stream004 *stream, uint32_t index)
{
    struct frame frame;
    struct stream_chunk *chunk = &frame.u.stream.u.chunk;
    struct status status = STATUS_INIT;
    struct secret *key;

    frame.type = FRAME_STREAM_CHUNK;
    frame.u.stream.stream_id = stream->id;
    frame.u.stream.opening = stream->opening;
    chunk->index = index;
    chunk->cut.size_bytes = stream->qos.key_chunk_size_bytes;
    if (!store_cut_ours(streams->peer->store, &chunk->cut, &key, &status))
        return false;
    streams->peer->counters.lost_bits[LOSS_SURPLUS] +=
        chunk->cut.block_count * BLOCK_BITS - chunk->cut.size_bytes * 8;
    if (!link_send_stream(streams->peer->link, &frame, chunk->cut.size_bytes * 8)) {
        log_line(streams->env->log, LOG_LEVEL_ERROR, "out of memory to announce a chunk");
        window004_spend(&stream->window, index);
        secret_free(key);
        return false;
    }
    hold(streams, stream, index, key);
    stream004_wake(stream);
    return true;
}

/* What rests is asked for; it comes when it is open. */
static bool can_cut(const struct streams004 *streams, const struct stream004 *stream)
{
    const struct peer *peer = streams->peer;
    size_t blocks = store_blocks_for(stream->qos.key_chunk_size_bytes * 8);

    if (blocks > store_usable(peer->store, BLOCK_OURS))
        link_stock(peer->link, blocks);
    return link_has_room(peer->link, 1) && blocks <= store_usable(peer->store, BLOCK_OURS);
}

static void wish(struct streams004 *streams, struct stream004 *stream, uint32_t index)
{
    struct wish004 *one = OPENSSL_zalloc(sizeof(*one));
    int64_t now_ns = monotonic_ns();

    if (one == NULL || !window004_await(&stream->window, index, now_ns)) {
        OPENSSL_free(one);
        return;
    }
    one->index = index;
    if (STAILQ_EMPTY(&stream->wishes) && !stream->unrecorded)
        TAILQ_INSERT_TAIL(&streams->wishing, stream, next_wishing);
    STAILQ_INSERT_TAIL(&stream->wishes, one, next);
}

static void drop_first_wish(struct streams004 *streams, struct stream004 *stream)
{
    struct wish004 *one = STAILQ_FIRST(&stream->wishes);

    window004_give_up(&stream->window, one->index);
    STAILQ_REMOVE_HEAD(&stream->wishes, next);
    OPENSSL_free(one);
    if (STAILQ_EMPTY(&stream->wishes) && !stream->unrecorded)
        TAILQ_REMOVE(&streams->wishing, stream, next_wishing);
}

void chunk004_recorded(struct streams004 *streams, struct stream004 *stream)
{
    if (!STAILQ_EMPTY(&stream->wishes))
        TAILQ_INSERT_TAIL(&streams->wishing, stream, next_wishing);
    chunk004_serve(streams);
}

void chunk004_drop_wishes(struct streams004 *streams, struct stream004 *stream)
{
    while (!STAILQ_EMPTY(&stream->wishes))
        drop_first_wish(streams, stream);
}

/* Asks again only when the peer may have given up. */
static void ask_peer(struct streams004 *streams, struct stream004 *stream, uint32_t index)
{
    int64_t now_ns = monotonic_ns();
    struct position *position;
    struct frame frame;

    if (window004_look(&stream->window, index, &position) == POSITION_AWAITED &&
        now_ns - position->since_ns < patience_ns(stream))
        return;
    if (!link_has_room(streams->peer->link, 1) || !window004_await(&stream->window, index, now_ns))
        return;
    frame.type = FRAME_STREAM_WANT;
    frame.u.stream.stream_id = stream->id;
    frame.u.stream.opening = stream->opening;
    frame.u.stream.u.want.index = index;
    if (!link_send_stream(streams->peer->link, &frame, 0))
        window004_give_up(&stream->window, index);
}

void chunk004_request(struct streams004 *streams, struct stream004 *stream, uint32_t index)
{
    struct position *position;
    enum position_state state = window004_look(&stream->window, index, &position);

    if (state == POSITION_HELD || state == POSITION_SPENT)
        return; /* the peer's question has crossed our announcement */
    if (!stream->ours)
        ask_peer(streams, stream, index);
    else if (state == POSITION_AWAITED)
        window004_await(&stream->window, index, monotonic_ns()); /* the wish stands, and longer */
    else if (stream->unrecorded || !TAILQ_EMPTY(&streams->wishing) || !can_cut(streams, stream))
        wish(streams, stream, index);
    else
        cut(streams, stream, index);
}

/* Whether somebody may still be waiting for what the first wish of the stream is about. */
static bool is_current(const struct stream004 *stream)
{
    struct position *position;

    return window004_look(&stream->window, STAILQ_FIRST(&stream->wishes)->index, &position) ==
               POSITION_AWAITED &&
           monotonic_ns() - position->since_ns < patience_ns(stream);
}

/* Streams take turns. */
void chunk004_serve(struct streams004 *streams)
{
    struct stream004 *stream;

    while ((stream = TAILQ_FIRST(&streams->wishing)) != NULL) {
        uint32_t index = STAILQ_FIRST(&stream->wishes)->index;
        bool current = is_current(stream);

        if (current && !can_cut(streams, stream))
            return;
        drop_first_wish(streams, stream);
        if (current)
            cut(streams, stream, index);
        if (!STAILQ_EMPTY(&stream->wishes)) {
            TAILQ_REMOVE(&streams->wishing, stream, next_wishing);
            TAILQ_INSERT_TAIL(&streams->wishing, stream, next_wishing);
        }
    }
}

/* The blocks of an announced chunk leave the store whatever becomes of it: they are the peer's to
 * give, and it has given them. */
void chunk004_arrived(struct streams004 *streams, struct stream004 *stream,
                      const struct stream_chunk *chunk)
{
    struct metrics_peer *counters = &streams->peer->counters;
    struct status status = STATUS_INIT;
    struct secret *key;

    if (!store_cut_peers(streams->peer->store, &chunk->cut, &key, &status)) {
        store_burn_peers(streams->peer->store, chunk->cut.blocks, chunk->cut.block_count);
        counters->lost_bits[LOSS_MISMATCH] += chunk->cut.size_bytes * 8;
        log_line(streams->env->log, LOG_LEVEL_WARN, "a chunk of a stream is lost: %s", status.text);
        if (stream != NULL && window004_admits_peer(&stream->window, chunk->index))
            window004_spend(&stream->window, chunk->index);
    } else if (stream == NULL || stream->ours || stream->state == STATE004_PEER_LEFT ||
               !window004_admits_peer(&stream->window, chunk->index) ||
               chunk->cut.size_bytes != stream->qos.key_chunk_size_bytes) {
        counters->lost_bits[LOSS_CLOSED] += chunk->cut.size_bytes * 8;
        secret_free(key);
    } else {
        hold(streams, stream, chunk->index, key);
    }
    if (stream != NULL)
        stream004_wake(stream);
}
