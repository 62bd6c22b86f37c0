/* SPDX-License-Identifier: Apache-2.0 */
/* The frames about key streams of ETSI GS QKD 004. */
#include <string.h>

#include "kme/link_codec_parts.h"

static void put_text(struct buf *buf, const char *text)
{
    size_t length = strlen(text);

    buf_put_u32(buf, (uint32_t)length);
    buf_put(buf, text, length);
}

static void take_text(struct reader *reader, char *text, size_t size)
{
    uint32_t length = reader_u32(reader);
    const uint8_t *from = length < size ? reader_take(reader, length) : NULL;

    if (from == NULL || memchr(from, 0, length) != NULL) {
        reader->failed = true;
        return;
    }
    memcpy(text, from, length);
    text[length] = '\0';
}

static void put_qos(struct buf *buf, const struct etsi004_qos *qos)
{
    etsi004_qos_numbers_put(buf, qos);
    put_text(buf, qos->metadata_mimetype);
}

static void take_qos(struct reader *reader, struct etsi004_qos *qos)
{
    etsi004_qos_numbers_take(reader, qos);
    take_text(reader, qos->metadata_mimetype, sizeof(qos->metadata_mimetype));
}

static void put_open(struct buf *buf, const struct frame_stream *stream)
{
    const struct stream_opening *open = &stream->u.open;

    buf_put_u8(buf, open->generated ? 1 : 0);
    put_qos(buf, &open->qos);
    link_name_put(buf, open->initiator);
    link_name_put(buf, open->responder);
    put_text(buf, open->source);
    put_text(buf, open->destination);
}

static void put_joined(struct buf *buf, const struct frame_stream *stream)
{
    (void)buf;
    (void)stream;
}

static void put_chunk(struct buf *buf, const struct frame_stream *stream)
{
    const struct stream_chunk *chunk = &stream->u.chunk;

    buf_put_u32(buf, chunk->index);
    link_cut_put(buf, &chunk->cut);
}

static void put_want(struct buf *buf, const struct frame_stream *stream)
{
    buf_put_u32(buf, stream->u.want.index);
}

static void put_closed(struct buf *buf, const struct frame_stream *stream)
{
    buf_put_u8(buf, (uint8_t)stream->u.closed.reason);
}

void link_put_stream(struct buf *buf, const struct frame *frame)
{
    static void (*const bodies[])(struct buf *, const struct frame_stream *) = {
        [FRAME_STREAM_OPEN] = put_open,     [FRAME_STREAM_JOINED] = put_joined,
        [FRAME_STREAM_CHUNK] = put_chunk,   [FRAME_STREAM_WANT] = put_want,
        [FRAME_STREAM_CLOSED] = put_closed,
    };
    const struct frame_stream *stream = &frame->u.stream;
    size_t at = link_frame_begin(buf, frame->type);

    buf_put_u64(buf, stream->sequence);
    buf_put(buf, stream->stream_id.octets, KEY_ID_BYTES);
    buf_put_u64(buf, stream->opening);
    bodies[frame->type](buf, stream);
    link_frame_end(buf, at);
}

static struct frame_stream *take_head(struct reader *reader, struct frame *frame)
{
    struct frame_stream *stream = &frame->u.stream;

    stream->sequence = reader_u64(reader);
    link_octets_take(reader, stream->stream_id.octets, KEY_ID_BYTES);
    stream->opening = reader_u64(reader);
    return stream;
}

bool link_stream_open_take(struct reader *reader, struct frame *frame)
{
    struct stream_opening *open = &take_head(reader, frame)->u.open;
    uint8_t generated = reader_u8(reader);

    open->generated = generated == 1;
    take_qos(reader, &open->qos);
    link_name_take(reader, open->initiator);
    link_name_take(reader, open->responder);
    take_text(reader, open->source, sizeof(open->source));
    take_text(reader, open->destination, sizeof(open->destination));
    return reader_done(reader) && generated <= 1 && !key_id_is_zero(&frame->u.stream.stream_id) &&
           open->qos.key_chunk_size_bytes > 0 &&
           open->qos.key_chunk_size_bytes <= ETSI004_CHUNK_MAX_BYTES && open->qos.max_bps > 0 &&
           open->qos.timeout_ms > 0 && open->qos.ttl_s > 0;
}

bool link_stream_joined_take(struct reader *reader, struct frame *frame)
{
    take_head(reader, frame);
    return reader_done(reader);
}

bool link_stream_chunk_take(struct reader *reader, struct frame *frame)
{
    struct stream_chunk *chunk = &take_head(reader, frame)->u.chunk;

    chunk->index = reader_u32(reader);
    return link_cut_take(reader, &chunk->cut) && reader_done(reader);
}

bool link_stream_want_take(struct reader *reader, struct frame *frame)
{
    struct frame_stream *stream = take_head(reader, frame);

    stream->u.want.index = reader_u32(reader);
    return reader_done(reader);
}

bool link_stream_closed_take(struct reader *reader, struct frame *frame)
{
    struct frame_stream *stream = take_head(reader, frame);
    uint8_t reason = reader_u8(reader);

    stream->u.closed.reason = (enum stream_end_reason)reason;
    return reader_done(reader) && reason < STREAM_END_REASONS;
}
