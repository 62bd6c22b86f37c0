/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames between two key servers, in both directions. Pure: no socket, no state, no clock.
 *
 *     frame  = length(u32, of what follows) type(u8) body        integers are big-endian
 *
 * Types below 0x80 are the classical channel. FRAME_SIMULATED_QUANTUM carries key bits, in place
 * of the quantum channel that this software does not have; a deployment with real devices has
 * no such frame.
 */
#ifndef QKD_KME_LINK_CODEC_H
#define QKD_KME_LINK_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "etsi/etsi004.h"
#include "kme/store.h"

enum {
    LINK_VERSION = 2,
    LINK_EPOCH_BYTES = 16,
    LINK_IDS_MAX = 500,          /* in one frame */
    LINK_FRAME_MAX_BYTES = 20480 /* type and body */
};

enum frame_type {
    FRAME_HELLO = 0x01,
    FRAME_ACK = 0x02,
    FRAME_ASSIGN = 0x03,
    FRAME_STREAM_OPEN = 0x04,     /* an SAE of the sender's site opened a stream first */
    FRAME_STREAM_JOINED = 0x05,   /* its peer has opened it, too */
    FRAME_STREAM_CHUNK = 0x06,    /* which blocks are a position of a stream */
    FRAME_STREAM_WANT = 0x07,     /* asks the end that cuts chunks for a position */
    FRAME_STREAM_CLOSED = 0x08,   /* the sender's end of a stream is no more */
    FRAME_SEGMENTS_OPEN = 0x09,   /* asks for segments of the sender to be opened */
    FRAME_SEGMENTS_OPENED = 0x0a, /* they are: their copies have left the shelf */
    FRAME_INVENTORY = 0x0b,       /* after hello, where there is nothing to resume */
    FRAME_RECONCILED = 0x0c,      /* the sender has heard all of it, and is ready */
    FRAME_RELAY = 0x10,           /* a key of a multicast, cut from another link's blocks */
    FRAME_SIMULATED_QUANTUM = 0x80
};

/* First frame in each direction. */
struct frame_hello {
    uint8_t epoch[LINK_EPOCH_BYTES];      /* random, one per process of the sender */
    uint8_t peer_epoch[LINK_EPOCH_BYTES]; /* the receiver's, as the sender last heard; or zeros */
    uint64_t blocks_through;              /* blocks that the sender of this has received */
    uint64_t assigns_through;             /* assignments that it has received */
    uint64_t capacity_blocks;             /* what its store takes */
    uint64_t window_blocks;               /* it opens so many at a time; 0: its store is memory */
    char kme_id[ETSI014_ID_MAX_CHARS + 1];
};

/* All up to these sequence numbers has been received; also sent when idle, as a sign of life.
 * Assignments and what is told about streams are numbered together. */
struct frame_ack {
    uint64_t blocks_through;
    uint64_t assigns_through;
};

struct frame_assign {
    uint64_t sequence; /* from 1 on */
    struct assignment assignment;
};

/* The key travels under a one-time pad that the sender cut from its blocks of this link: nothing
 * but the quantum channel's own secrecy covers it. Numbered together with assignments. */
struct frame_relay {
    uint64_t sequence;
    struct relayed_key key;
    struct cut pad; /* as many octets as the key has */
    uint8_t ciphertext[SECRET_MAX_BYTES];
};

struct stream_opening {
    bool generated;                           /* by the sender; false: the SAE brought the ID */
    struct etsi004_qos qos;                   /* as granted */
    char initiator[ETSI014_ID_MAX_CHARS + 1]; /* the SAE of the sender's site */
    char responder[ETSI014_ID_MAX_CHARS + 1];
    char source[ETSI004_URI_MAX_CHARS + 1];
    char destination[ETSI004_URI_MAX_CHARS + 1];
};

struct stream_chunk {
    uint32_t index;
    struct cut cut;
};

enum stream_end_reason {
    STREAM_END_CLOSED,
    STREAM_END_IN_USE,  /* the ID is another stream's at the sender, or was */
    STREAM_END_REFUSED, /* the sender does not know the SAE, or is full */
    STREAM_END_REASONS
};

/* Numbered together with assignments. */
struct frame_stream {
    uint64_t sequence;
    struct key_id stream_id;
    uint64_t opening; /* tells apart what both ends opened, or one opened twice, under one ID */
    union {
        struct stream_opening open;
        struct stream_chunk chunk;
        struct {
            uint32_t index;
        } want;
        struct {
            enum stream_end_reason reason;
        } closed;
    } u;
};

/* Segments, numbered together with assignments; or, in an inventory, blocks. */
struct frame_ids {
    uint64_t sequence; /* not in an inventory */
    bool last;         /* in an inventory: it is complete */
    bool assigned;     /* in an inventory: the sender has cut keys from these; else unassigned */
    size_t count;      /* 1 to LINK_IDS_MAX; in an inventory from 0 on */
    struct key_id ids[LINK_IDS_MAX];
};

/* One segment. */
struct frame_blocks {
    uint64_t first_sequence;  /* of blocks[0]; from 1 on */
    struct segment_head head; /* owner as the receiver sees it when parsed */
    size_t count;
    struct block blocks[SEGMENT_BLOCKS_MAX];
};

struct frame {
    enum frame_type type;
    union {
        struct frame_hello hello;
        struct frame_ack ack;
        struct frame_assign assign;
        struct frame_relay relay;
        struct frame_stream stream; /* of all FRAME_STREAM types */
        struct frame_ids ids;
        struct frame_blocks blocks; /* secret: wipe the frame after use */
    } u;
};

/* Appends a whole frame. Owners of blocks are given as the sender sees them. */
void link_put_hello(struct buf *buf, const struct frame_hello *hello);
void link_put_ack(struct buf *buf, const struct frame_ack *ack);
void link_put_assign(struct buf *buf, const struct frame_assign *assign);
void link_put_relay(struct buf *buf, const struct frame_relay *relay);
void link_put_stream(struct buf *buf, const struct frame *frame);
void link_put_segments(struct buf *buf, enum frame_type type, const struct frame_ids *ids);
void link_put_inventory(struct buf *buf, const struct frame_ids *ids);
void link_put_reconciled(struct buf *buf);
void link_put_blocks(struct buf *buf, const struct frame_blocks *blocks);

/* Gives an encoded frame, one of those that are numbered, another number. */
void link_renumber(uint8_t *frame, uint64_t sequence);

enum link_parse { LINK_PARSE_FRAME, LINK_PARSE_MORE, LINK_PARSE_BAD };

/* Reads one frame from the front. LINK_PARSE_FRAME: *frame is filled in and *used says how many
 * octets it took. LINK_PARSE_MORE: not all of it is there yet. LINK_PARSE_BAD: *status
 * (OUTCOME_PEER) says why; the connection is of no further use. */
enum link_parse link_parse(const void *data, size_t length, struct frame *frame, size_t *used,
                           struct status *status);

#endif
