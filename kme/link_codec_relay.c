/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of names, cuts of blocks, and the frame of a relayed key. */
#include "kme/link_codec_parts.h"

#include <string.h>

void link_names_put(struct buf *buf, const struct names *names)
{
    buf_put_u8(buf, (uint8_t)names->count);
    for (size_t at = 0; at < names->bytes; at += strlen(names->text + at) + 1)
        link_name_put(buf, names->text + at);
}

void link_names_take(struct reader *reader, struct names *names)
{
    size_t count = reader_u8(reader);
    char name[ETSI014_ID_MAX_CHARS + 1];

    names->count = names->bytes = 0;
    for (size_t i = 0; i < count && !reader->failed; i++) {
        link_name_take(reader, name);
        if (!reader->failed && !names_add(names, name))
            reader->failed = true;
    }
    if (names->count == 0)
        reader->failed = true;
}

void link_cut_put(struct buf *buf, const struct cut *cut)
{
    buf_put_u32(buf, cut->size_bytes);
    buf_put_u32(buf, (uint32_t)cut->block_count);
    for (size_t i = 0; i < cut->block_count; i++)
        buf_put(buf, cut->blocks[i].octets, KEY_ID_BYTES);
}

bool link_cut_take(struct reader *reader, struct cut *cut)
{
    cut->size_bytes = reader_u32(reader);
    cut->block_count = reader_u32(reader);
    if (cut->size_bytes == 0 || cut->size_bytes > SECRET_MAX_BYTES ||
        cut->block_count != store_blocks_for(cut->size_bytes * 8))
        return false;
    for (size_t i = 0; i < cut->block_count; i++)
        link_octets_take(reader, cut->blocks[i].octets, KEY_ID_BYTES);
    return !reader->failed;
}

void link_put_relay(struct buf *buf, const struct frame_relay *relay)
{
    size_t at = link_frame_begin(buf, FRAME_RELAY);

    buf_put_u64(buf, relay->sequence);
    buf_put(buf, relay->key.key_id.octets, KEY_ID_BYTES);
    buf_put_u32(buf, relay->key.lifetime_s);
    link_name_put(buf, relay->key.initiator);
    link_names_put(buf, &relay->key.responders);
    link_cut_put(buf, &relay->pad);
    buf_put(buf, relay->ciphertext, relay->pad.size_bytes);
    link_frame_end(buf, at);
}

bool link_relay_take(struct reader *reader, struct frame *frame)
{
    struct frame_relay *relay = &frame->u.relay;

    relay->sequence = reader_u64(reader);
    link_octets_take(reader, relay->key.key_id.octets, KEY_ID_BYTES);
    relay->key.lifetime_s = reader_u32(reader);
    link_name_take(reader, relay->key.initiator);
    link_names_take(reader, &relay->key.responders);
    if (!link_cut_take(reader, &relay->pad))
        return false;
    link_octets_take(reader, relay->ciphertext, relay->pad.size_bytes);
    return reader_done(reader);
}
