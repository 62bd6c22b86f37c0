/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link to the peer key server: mutual TLS 1.3, dialled by the end with the lower kme_id and
 * dialled again with growing pauses; and the simulated quantum channel that runs over it.
 */
#ifndef QKD_KME_LINK_H
#define QKD_KME_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "kme/env.h"
#include "kme/link_codec.h"
#include "kme/peer.h"
#include "kme/stream.h"

struct link;

/* What concerns key streams. */
struct link_streams {
    void (*up)(void *arg, bool resumed);
    void (*frame)(void *arg, const struct frame *frame);
    void (*stocked)(void *arg); /* blocks became usable */
};

/* What concerns ETSI 014; called after the running callback, or from the event loop. */
struct link_keys {
    void (*assigned)(void *arg, const struct key_id *key_id); /* it is ready to be claimed here */
    void (*stocked)(void *arg); /* blocks became usable, or the link went down */
    void (*told)(void *arg);    /* the peer has acknowledged something */
};

/* Dials, or waits for link_accept. */
struct link *link_new(const struct env *env, struct peer *peer, struct status *status);
void link_free(struct link *link);
void link_on_streams(struct link *link, const struct link_streams *streams, void *arg);
void link_on_keys(struct link *link, const struct link_keys *keys, void *arg);

/* Whether the peer dials. */
bool link_listens(const struct link *link);

/* A connection that the peer has made, and proved to be the peer's; owns the stream. */
void link_accept(struct link *link, struct stream *stream);

/* A connection between key servers, of which it is not known yet who is at the other end. Takes fd
 * over. NULL when out of memory. */
struct stream *link_stream_new(const struct env *env, int fd, enum stream_start start,
                               const struct stream_events *events, void *arg);

bool link_is_up(const struct link *link);

/* Since when it is up, or down. */
int64_t link_since_ns(const struct link *link);

/* What the stores of both ends take. */
size_t link_capacity_blocks(const struct link *link);

/* Whether so many more assignments can be told to the peer now. */
bool link_has_room(const struct link *link, size_t count);

/* Sends a FRAME_STREAM after the running callback; what cannot be sent now is kept for the next
 * connection with the same peer process. Needs link_has_room, except for frames whose number the
 * number of streams bounds. `bits` are lost if the peer restarts. False when out of memory. */
bool link_send_stream(struct link *link, struct frame *frame, uint32_t bits);

/* Sees to it that so many blocks of ours will be usable, if that many rest. */
void link_stock(struct link *link, size_t wanted_blocks);

/* Whether each end has acknowledged all that the other one told. */
bool link_is_idle(const struct link *link);

/* What the peer was told last; and whether it has acknowledged that, or will never hear of it. */
uint64_t link_ticket(const struct link *link);
bool link_has_told(const struct link *link, uint64_t ticket);

/* Tells the peer, after the running callback, that a key was cut. Needs link_has_room. */
bool link_assign(struct link *link, const struct assignment *assignment);

/* The same for a key that was cut from another link's blocks; see struct frame_relay. */
bool link_relay(struct link *link, struct frame_relay *relay);

#endif
