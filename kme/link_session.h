/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two key servers have told each other: which blocks and which assignments arrived at
 * the other end, over any number of connections. Frames in, frames out; no sockets.
 *
 * Both ends number what they send. On a new connection they compare epochs. If neither has
 * restarted, each tells how far it got: blocks beyond are dropped at the source of the simulated
 * channel, assignments beyond are sent again. Otherwise both drop all unassigned blocks.
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
    /* The peer's hello was accepted; `resumed` if nothing was forgotten. */
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

/* Source, while up: adds the blocks to our store as pending, and sends them. Owners are set here,
 * to whoever has less. */
bool link_session_send_blocks(struct link_session *session, struct frame_blocks *blocks,
                              struct buf *out);

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
