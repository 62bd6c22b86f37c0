/* SPDX-License-Identifier: Apache-2.0 */
/* The frames about segments and blocks. */
#include "kme/link_codec_parts.h"

enum { OWNER_SENDER = 1, OWNER_RECEIVER = 2 };

/* Flags of an inventory, and of a segment. */
enum { INVENTORY_LAST = 1, INVENTORY_ASSIGNED = 2, SEGMENT_RESTS = 1 };

static void put_ids(struct buf *buf, const struct frame_ids *ids)
{
    buf_put_u32(buf, (uint32_t)ids->count);
    for (size_t i = 0; i < ids->count; i++)
        buf_put(buf, ids->ids[i].octets, KEY_ID_BYTES);
}

static bool take_ids(struct reader *reader, struct frame_ids *ids)
{
    ids->count = reader_u32(reader);
    if (ids->count > LINK_IDS_MAX)
        return false;
    for (size_t i = 0; i < ids->count; i++)
        link_octets_take(reader, ids->ids[i].octets, KEY_ID_BYTES);
    return reader_done(reader);
}

void link_put_segments(struct buf *buf, enum frame_type type, const struct frame_ids *ids)
{
    size_t at = link_frame_begin(buf, type);

    buf_put_u64(buf, ids->sequence);
    put_ids(buf, ids);
    link_frame_end(buf, at);
}

bool link_segments_take(struct reader *reader, struct frame *frame)
{
    struct frame_ids *ids = &frame->u.ids;

    ids->last = ids->assigned = false;
    ids->sequence = reader_u64(reader);
    return take_ids(reader, ids) && ids->count > 0;
}

void link_put_inventory(struct buf *buf, const struct frame_ids *ids)
{
    size_t at = link_frame_begin(buf, FRAME_INVENTORY);

    buf_put_u8(buf, (uint8_t)((ids->last ? INVENTORY_LAST : 0) |
                              (ids->assigned ? INVENTORY_ASSIGNED : 0)));
    put_ids(buf, ids);
    link_frame_end(buf, at);
}

bool link_inventory_take(struct reader *reader, struct frame *frame)
{
    struct frame_ids *ids = &frame->u.ids;
    uint8_t flags = reader_u8(reader);

    ids->sequence = 0;
    ids->last = (flags & INVENTORY_LAST) != 0;
    ids->assigned = (flags & INVENTORY_ASSIGNED) != 0;
    return (flags & ~(INVENTORY_LAST | INVENTORY_ASSIGNED)) == 0 && take_ids(reader, ids);
}

void link_put_reconciled(struct buf *buf)
{
    link_frame_end(buf, link_frame_begin(buf, FRAME_RECONCILED));
}

bool link_reconciled_take(struct reader *reader, struct frame *frame)
{
    (void)frame;
    return reader_done(reader);
}

void link_put_blocks(struct buf *buf, const struct frame_blocks *blocks)
{
    size_t at = link_frame_begin(buf, FRAME_SIMULATED_QUANTUM);

    buf_put_u64(buf, blocks->first_sequence);
    buf_put(buf, blocks->head.id.octets, KEY_ID_BYTES);
    buf_put_u8(buf, blocks->head.owner == BLOCK_OURS ? OWNER_SENDER : OWNER_RECEIVER);
    buf_put_u8(buf, blocks->head.rests ? SEGMENT_RESTS : 0);
    buf_put_u32(buf, (uint32_t)blocks->count);
    for (size_t i = 0; i < blocks->count; i++) {
        buf_put(buf, blocks->blocks[i].id.octets, KEY_ID_BYTES);
        buf_put(buf, blocks->blocks[i].octets, BLOCK_BYTES);
    }
    link_frame_end(buf, at);
}

bool link_blocks_take(struct reader *reader, struct frame *frame)
{
    struct frame_blocks *blocks = &frame->u.blocks;
    uint8_t owner, flags;

    blocks->first_sequence = reader_u64(reader);
    link_octets_take(reader, blocks->head.id.octets, KEY_ID_BYTES);
    owner = reader_u8(reader);
    flags = reader_u8(reader);
    blocks->count = reader_u32(reader);
    if ((owner != OWNER_SENDER && owner != OWNER_RECEIVER) || (flags & ~SEGMENT_RESTS) != 0 ||
        blocks->count == 0 || blocks->count > SEGMENT_BLOCKS_MAX)
        return false;
    blocks->head.owner = owner == OWNER_SENDER ? BLOCK_PEERS : BLOCK_OURS;
    blocks->head.rests = flags == SEGMENT_RESTS;
    for (size_t i = 0; i < blocks->count; i++) {
        link_octets_take(reader, blocks->blocks[i].id.octets, KEY_ID_BYTES);
        link_octets_take(reader, blocks->blocks[i].octets, BLOCK_BYTES);
    }
    return reader_done(reader);
}
