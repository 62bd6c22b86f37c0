/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between two key servers: what is taken is in range, and has one encoding: its own. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "kme/link_codec.h"

#define ID_A "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf"
#define ID_B "\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf"
#define NUMBER "\0\0\0\0\0\0\0\7"
#define OCTETS ID_A ID_B
#define U32(n) "\0\0\0" n

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(U32("\x4c") "\1"
                          "QKDL\2" ID_A ID_B NUMBER NUMBER NUMBER NUMBER "\5kme-b"),
    FUZZ_SEED(U32("\x11") "\2" NUMBER NUMBER),
    FUZZ_SEED(U32("\x40") "\3" NUMBER ID_A U32("\x40") U32("\x0a") "\5alice"
                                                                   "\1\3bob" U32("\x01") ID_A),
    FUZZ_SEED(U32("\x56") "\20" NUMBER ID_A U32("\x0a") "\5alice"
                                                        "\2\3bob\5carol" U32("\x10") U32("\x01")
                                                            ID_B ID_A),
    FUZZ_SEED(U32("\x21") "\5" NUMBER ID_A NUMBER),
    FUZZ_SEED(U32("\x3d") "\6" NUMBER ID_A NUMBER U32("\x00") U32("\x20") U32("\x01") ID_B),
    FUZZ_SEED(U32("\x25") "\7" NUMBER ID_A NUMBER U32("\x03")),
    FUZZ_SEED(U32("\x22") "\10" NUMBER ID_A NUMBER "\1"),
    FUZZ_SEED(U32("\x1d") "\11" NUMBER U32("\x01") ID_A),
    FUZZ_SEED(U32("\x2d") "\12" NUMBER U32("\x02") ID_A ID_B),
    FUZZ_SEED(U32("\x26") "\13"
                          "\1" U32("\x02") ID_A ID_B),
    FUZZ_SEED(U32("\x01") "\14"),
    FUZZ_SEED(U32("\x4f") "\200" NUMBER ID_A "\1\1" U32("\x01") ID_B OCTETS),
};
FUZZ_SEED_COUNT;

enum { ROOM = 2 * LINK_FRAME_MAX_BYTES };

/* The receiver sees the owner the other way round. */
static void put_blocks(struct buf *buf, struct frame_blocks *blocks)
{
    FUZZ_CHECK(blocks->count >= 1 && blocks->count <= SEGMENT_BLOCKS_MAX);
    blocks->head.owner = blocks->head.owner == BLOCK_OURS ? BLOCK_PEERS : BLOCK_OURS;
    link_put_blocks(buf, blocks);
}

static void put_again(struct buf *buf, struct frame *frame)
{
    switch (frame->type) {
    case FRAME_HELLO:
        link_put_hello(buf, &frame->u.hello);
        break;
    case FRAME_ACK:
        link_put_ack(buf, &frame->u.ack);
        break;
    case FRAME_ASSIGN:
        FUZZ_CHECK(frame->u.assign.assignment.size_bits <= SECRET_MAX_BYTES * 8);
        link_put_assign(buf, &frame->u.assign);
        break;
    case FRAME_RELAY:
        FUZZ_CHECK(frame->u.relay.pad.size_bytes <= SECRET_MAX_BYTES);
        FUZZ_CHECK(frame->u.relay.key.responders.count <= NAMES_MAX);
        link_put_relay(buf, &frame->u.relay);
        break;
    case FRAME_SEGMENTS_OPEN:
    case FRAME_SEGMENTS_OPENED:
        link_put_segments(buf, frame->type, &frame->u.ids);
        break;
    case FRAME_INVENTORY:
        link_put_inventory(buf, &frame->u.ids);
        break;
    case FRAME_RECONCILED:
        link_put_reconciled(buf);
        break;
    case FRAME_SIMULATED_QUANTUM:
        put_blocks(buf, &frame->u.blocks);
        break;
    default:
        link_put_stream(buf, frame);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct frame frame;
    struct status status = STATUS_INIT;
    struct buf buf;
    size_t used = 0;
    enum link_parse result = link_parse(data, size, &frame, &used, &status);

    FUZZ_CHECK((result == LINK_PARSE_BAD) == (status.outcome == OUTCOME_PEER));
    if (result != LINK_PARSE_FRAME)
        return 0;
    FUZZ_CHECK(used <= size);
    buf_init(&buf, ROOM);
    put_again(&buf, &frame);
    FUZZ_CHECK(!buf.failed && buf.length == used && memcmp(buf.data, data, used) == 0);
    buf_free(&buf);
    return 0;
}
