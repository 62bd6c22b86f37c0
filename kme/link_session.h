/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two key servers have told each other: which blocks and which assignments arrived at
 * the other end, over any number of connections. Frames in, frames out; no sockets.
 *
 * Both ends number what they send. On a new connection they compare epochs. If neither has
 * restarted, each tells how far it got: blocks beyond are dropped at the source of the simulated
 * channel, assignments beyond are sent again. Otherwise they reconcile: each tells the other which
 * blocks it has, and what has no twin is dropped.
 *
 * The owner of blocks keeps some of them open, at both ends, and asks the peer to open more before
 * they run out. An end without a shelf has nothing to erase, and answers at once.
 */
#ifndef QKD_KME_LINK_SESSION_H
#define QKD_KME_LINK_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "kme/env.h"
#include "kme/link_codec.h"
#include "kme/peer.h"
#include "kme/store.h"

enum {
    LINK_ASSIGNS_MAX = 16384 /* and frames of streams, that wait for the peer's acknowledgement */
};

struct link_session;

struct link_session_events {
    /* Both ends agree on what they have; `resumed` if nothing was forgotten. */
    void (*up)(void *arg, bool resumed);
    /* A key became ready to be claimed here. */
    void (*assigned)(void *arg, const struct key_id *key_id);
    /* A FRAME_STREAM of the peer arrived, once and in order. */
    void (*stream)(void *arg, const struct frame *frame);
    /* Blocks became usable while the session is up. */
    void (*stocked)(void *arg);
};

/* Borrows all. NULL, and *status, when out of memory or random numbers. */
struct link_session *link_session_new(const struct env *env, struct peer *peer,
                                      const struct link_session_events *events, void *arg,
                                      struct status *status);
void link_session_free(struct link_session *session);

/* Whether this end runs the simulated quantum channel (and dials): the lower kme_id does. */
bool link_session_is_source(const struct link_session *session);

/* A connection begins: appends our hello. */
void link_session_greet(struct link_session *session, struct buf *out);
void link_session_disconnect(struct link_session *session);
bool link_session_is_up(const struct link_session *session);

/* Whether the peer has said hello, and may be told anything at all. */
bool link_session_is_talking(const struct link_session *session);

/* Takes one frame; may append frames. False: the peer broke the rules, close the connection. */
bool link_session_take(struct link_session *session, const struct frame *frame, struct buf *out,
                       struct status *status);

/* Acknowledges all that has arrived; doubles as a sign of life. */
void link_session_put_ack(struct link_session *session, struct buf *out);
bool link_session_owes_ack(const struct link_session *session);

/* What the stores of both ends take: the smaller, as far as the peer has told. */
size_t link_session_capacity_blocks(const struct link_session *session);

/* Source, while up: blocks that the capacities of both ends still take, by owner. */
size_t link_session_room_blocks(const struct link_session *session);

/* Source, while up: adds the blocks to our store as pending, and sends them; at most
 * SEGMENT_BLOCKS_MAX. Whoever has less gets more of them. */
bool link_session_send_blocks(struct link_session *session, const struct block *blocks,
                              size_t count, struct buf *out);

/* While up: sees to it that so many blocks of ours will be usable, if they rest; and in any case
 * that the window is not running empty. */
void link_session_stock(struct link_session *session, size_t wanted_blocks, struct buf *out);

/* The shelf is settled up to this ticket. `out` may be NULL while not talking. */
void link_session_settled(struct link_session *session, uint64_t ticket, struct buf *out);

/* Assignments, and what else is numbered: how many the peer has not acknowledged, and how many
 * there were since the start. */
size_t link_session_waiting(const struct link_session *session);
uint64_t link_session_told(const struct link_session *session);

/* Initiator's side, while up: room for so many more assignments; tells the peer of one. */
bool link_session_has_room(const struct link_session *session, size_t count);
bool link_session_assign(struct link_session *session, const struct assignment *assignment,
                         struct buf *out);

/* The same for a relayed key; the sequence is set here. */
bool link_session_relay(struct link_session *session, struct frame_relay *relay, struct buf *out);

/* Sends a FRAME_STREAM, whose sequence is set here, now or once the session is up again. `bits`
 * are lost if the peer forgets it. False when out of memory. */
bool link_session_send_stream(struct link_session *session, struct frame *frame, uint32_t bits,
                              struct buf *out);

#endif
