/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/link_codec.h"

#include <string.h>

#include "kme/link_codec_parts.h"

enum { LENGTH_BYTES = 4, SEQUENCE_AT = LENGTH_BYTES + 1, SEQUENCE_BYTES = 8 };

static const char hello_magic[] = "QKDL";

size_t link_frame_begin(struct buf *buf, enum frame_type type)
{
    size_t at = buf->length;

    buf_put_u32(buf, 0);
    buf_put_u8(buf, (uint8_t)type);
    return at;
}

void link_frame_end(struct buf *buf, size_t at)
{
    size_t length = buf->length - at - LENGTH_BYTES;

    if (buf->failed)
        return;
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        buf->data[at + i] = (uint8_t)(length >> (8 * (LENGTH_BYTES - 1 - i)));
}

void link_renumber(uint8_t *frame, uint64_t sequence)
{
    for (size_t i = 0; i < SEQUENCE_BYTES; i++)
        frame[SEQUENCE_AT + i] = (uint8_t)(sequence >> (8 * (SEQUENCE_BYTES - 1 - i)));
}

void link_name_put(struct buf *buf, const char *name)
{
    size_t length = strlen(name);

    buf_put_u8(buf, (uint8_t)length);
    buf_put(buf, name, length);
}

void link_put_hello(struct buf *buf, const struct frame_hello *hello)
{
    size_t at = link_frame_begin(buf, FRAME_HELLO);

    buf_put_text(buf, hello_magic);
    buf_put_u8(buf, LINK_VERSION);
    buf_put(buf, hello->epoch, LINK_EPOCH_BYTES);
    buf_put(buf, hello->peer_epoch, LINK_EPOCH_BYTES);
    buf_put_u64(buf, hello->blocks_through);
    buf_put_u64(buf, hello->assigns_through);
    buf_put_u64(buf, hello->capacity_blocks);
    buf_put_u64(buf, hello->window_blocks);
    link_name_put(buf, hello->kme_id);
    link_frame_end(buf, at);
}

void link_put_ack(struct buf *buf, const struct frame_ack *ack)
{
    size_t at = link_frame_begin(buf, FRAME_ACK);

    buf_put_u64(buf, ack->blocks_through);
    buf_put_u64(buf, ack->assigns_through);
    link_frame_end(buf, at);
}

void link_put_assign(struct buf *buf, const struct frame_assign *assign)
{
    const struct assignment *a = &assign->assignment;
    size_t at = link_frame_begin(buf, FRAME_ASSIGN);

    buf_put_u64(buf, assign->sequence);
    buf_put(buf, a->key_id.octets, KEY_ID_BYTES);
    buf_put_u32(buf, a->size_bits);
    buf_put_u32(buf, a->lifetime_s);
    link_name_put(buf, a->initiator);
    link_names_put(buf, &a->responders);
    buf_put_u32(buf, (uint32_t)a->block_count);
    for (size_t i = 0; i < a->block_count; i++)
        buf_put(buf, a->blocks[i].octets, KEY_ID_BYTES);
    link_frame_end(buf, at);
}

void link_octets_take(struct reader *reader, void *to, size_t length)
{
    const uint8_t *from = reader_take(reader, length);

    if (from != NULL)
        memcpy(to, from, length);
}

void link_name_take(struct reader *reader, char name[static ETSI014_ID_MAX_CHARS + 1])
{
    size_t length = reader_u8(reader);
    const uint8_t *from = reader_take(reader, length);

    if (from == NULL || length == 0 || memchr(from, 0, length) != NULL) {
        reader->failed = true;
        return;
    }
    memcpy(name, from, length);
    name[length] = '\0';
}

static bool parse_hello(struct reader *reader, struct frame *frame)
{
    struct frame_hello *hello = &frame->u.hello;
    const uint8_t *magic = reader_take(reader, strlen(hello_magic));

    if (magic == NULL || memcmp(magic, hello_magic, strlen(hello_magic)) != 0 ||
        reader_u8(reader) != LINK_VERSION)
        return false;
    link_octets_take(reader, hello->epoch, LINK_EPOCH_BYTES);
    link_octets_take(reader, hello->peer_epoch, LINK_EPOCH_BYTES);
    hello->blocks_through = reader_u64(reader);
    hello->assigns_through = reader_u64(reader);
    hello->capacity_blocks = reader_u64(reader);
    hello->window_blocks = reader_u64(reader);
    link_name_take(reader, hello->kme_id);
    return reader_done(reader);
}

static bool parse_ack(struct reader *reader, struct frame *frame)
{
    frame->u.ack.blocks_through = reader_u64(reader);
    frame->u.ack.assigns_through = reader_u64(reader);
    return reader_done(reader);
}

static bool parse_assign(struct reader *reader, struct frame *frame)
{
    struct assignment *a = &frame->u.assign.assignment;

    frame->u.assign.sequence = reader_u64(reader);
    link_octets_take(reader, a->key_id.octets, KEY_ID_BYTES);
    a->size_bits = reader_u32(reader);
    a->lifetime_s = reader_u32(reader);
    link_name_take(reader, a->initiator);
    link_names_take(reader, &a->responders);
    a->block_count = reader_u32(reader);
    if (a->block_count == 0 || a->block_count > KEY_MAX_BLOCKS || a->size_bits == 0 ||
        a->size_bits % 8 != 0 || store_blocks_for(a->size_bits) != a->block_count)
        return false;
    for (size_t i = 0; i < a->block_count; i++)
        link_octets_take(reader, a->blocks[i].octets, KEY_ID_BYTES);
    return reader_done(reader);
}

static const struct {
    enum frame_type type;
    bool (*parse)(struct reader *reader, struct frame *frame);
} parsers[] = {
    {FRAME_HELLO, parse_hello},
    {FRAME_ACK, parse_ack},
    {FRAME_ASSIGN, parse_assign},
    {FRAME_RELAY, link_relay_take},
    {FRAME_STREAM_OPEN, link_stream_open_take},
    {FRAME_STREAM_JOINED, link_stream_joined_take},
    {FRAME_STREAM_CHUNK, link_stream_chunk_take},
    {FRAME_STREAM_WANT, link_stream_want_take},
    {FRAME_STREAM_CLOSED, link_stream_closed_take},
    {FRAME_SEGMENTS_OPEN, link_segments_take},
    {FRAME_SEGMENTS_OPENED, link_segments_take},
    {FRAME_INVENTORY, link_inventory_take},
    {FRAME_RECONCILED, link_reconciled_take},
    {FRAME_SIMULATED_QUANTUM, link_blocks_take},
};

enum link_parse link_parse(const void *data, size_t length, struct frame *frame, size_t *used,
                           struct status *status)
{
    struct reader reader;
    uint32_t frame_length;
    uint8_t type;

    if (length < LENGTH_BYTES)
        return LINK_PARSE_MORE;
    reader_init(&reader, data, length);
    frame_length = reader_u32(&reader);
    if (frame_length == 0 || frame_length > LINK_FRAME_MAX_BYTES) {
        status_fail(status, OUTCOME_PEER, "a link frame of %u octets is outside 1 to %d",
                    (unsigned)frame_length, LINK_FRAME_MAX_BYTES);
        return LINK_PARSE_BAD;
    }
    if (reader.left < frame_length)
        return LINK_PARSE_MORE;
    *used = LENGTH_BYTES + frame_length;
    reader.left = frame_length;
    type = reader_u8(&reader);
    for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
        if (parsers[i].type != type)
            continue;
        frame->type = parsers[i].type;
        if (parsers[i].parse(&reader, frame))
            return LINK_PARSE_FRAME;
        status_fail(status, OUTCOME_PEER, "a link frame of type 0x%02x is malformed", type);
        return LINK_PARSE_BAD;
    }
    status_fail(status, OUTCOME_PEER, "a link frame has the unknown type 0x%02x", type);
    return LINK_PARSE_BAD;
}
