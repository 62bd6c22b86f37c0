/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key streams as this end knows them. The end whose SAE opened a stream first cuts its chunks, from
 * this key server's own blocks, and tells the other end which blocks each position is; the other
 * end asks for positions that it lacks. So no two streams share octets, and both ends hold the
 * same octets for one position. Private to *004.c.
 */
#ifndef QKD_KME_STREAM004_H
#define QKD_KME_STREAM004_H

#include <sys/queue.h>

#include "kme/catalogue004.h"
#include "kme/env.h"
#include "kme/link.h"
#include "kme/peer.h"
#include "kme/state004.h"
#include "kme/store.h"
#include "kme/window004.h"

struct event;
struct stream004;
struct streams004;

/* A call that waits for something to happen to a stream. Whoever waits owns it. */
struct waiter004 {
    struct stream004 *stream;     /* NULL when it does not wait, or the stream is dead */
    enum etsi004_outcome verdict; /* why the stream is dead */
    struct event *wake;           /* made active, never called */
    TAILQ_ENTRY(waiter004) next;
};

/* The connection over which streams were opened. Whoever has one owns it. */
struct attachment004 {
    LIST_HEAD(, stream004) streams;
};

/* A position that cannot be cut for want of blocks, or of a link. */
struct wish004;

struct stream004 {
    struct key_id id;           /* first: see id_table.h */
    struct streams004 *streams; /* those of its link */
    uint64_t opening;           /* as both ends call it, see link_codec.h */
    uint64_t ticket;            /* of its ID's record; see record004.h */
    enum state004 state;        /* written by stream004_move only */
    bool generated;             /* the ID is from a key server, not from an SAE */
    bool ours;                  /* opened first at this end, which cuts the chunks */
    bool told;                  /* the SAE of this end knows that its peer is there */
    struct etsi004_qos qos;
    const char *local, *peer;         /* SAE IDs */
    const char *source, *destination; /* as the SAE that opened first has them */
    struct window004 window;
    int64_t oldest_ns;  /* no chunk is held since before this */
    int64_t opened_ns;  /* known here since then */
    uint64_t delivered; /* positions, at this end */
    int64_t used_ns;    /* when an SAE or the peer last did something to it */
    int64_t next_delivery_ns;
    struct opener004 *opener;
    struct attachment004 *attachment; /* NULL when its connection is gone */
    TAILQ_HEAD(, waiter004) waiters;
    STAILQ_HEAD(, wish004) wishes;
    TAILQ_ENTRY(stream004) next, next_wishing, next_unrecorded;
    bool unrecorded; /* in the list of that name, and then not among those that wish */
    LIST_ENTRY(stream004) next_attached;
    size_t size_bytes;
    char texts[];
};

/* The key streams of one link. */
struct streams004 {
    const struct env *env;
    struct catalogue004 *catalogue;
    struct peer *peer;
    TAILQ_HEAD(stream004_list, stream004) all; /* the newest last */
    TAILQ_HEAD(, stream004) wishing;
    TAILQ_HEAD(, stream004) unrecorded; /* by ticket */
    uint64_t openings;                  /* by SAEs of this end */
    int64_t min_bps;                    /* granted to all streams together */
};

/* Borrows all. NULL, and *status, when out of memory. */
struct streams004 *streams004_new(const struct env *env, struct catalogue004 *catalogue,
                                  struct peer *peer, struct status *status);
void streams004_free(struct streams004 *streams);

/* Expires chunks and abandoned streams; once a second. */
void streams004_tick(struct streams004 *streams);

/* A number that no other opening has, at either end. */
uint64_t streams004_next_opening(struct streams004 *streams);

/* A stream that the SAE of this end (ours) or of the other end opened just now, as
 * FRAME_STREAM_OPEN tells the other end, or told us. NULL when out of memory, or the ID is there
 * already. */
struct stream004 *stream004_new(struct streams004 *streams, const struct frame_stream *frame,
                                bool ours);

/* Nothing is cut for the stream, or delivered, before what has this ticket is on the disk. */
void stream004_record(struct stream004 *stream, uint64_t ticket);

/* What an event does to the stream: state, counters, chunks, waiters. It may be freed; then it
 * returns false, and its waiters have the verdict. */
bool stream004_move(struct streams004 *streams, struct stream004 *stream, enum event004 event,
                    enum etsi004_outcome verdict);

/* The SAE of this end closes its end, or left it: tells the peer. The stream may be freed. */
void stream004_close_here(struct streams004 *streams, struct stream004 *stream);

/* The peer opened it first after all: its terms hold, and it cuts the chunks. */
void stream004_yield(struct streams004 *streams, struct stream004 *stream,
                     const struct frame_stream *frame);

/* The connection that the SAE of this end uses the stream over. */
void stream004_attach(struct stream004 *stream, struct attachment004 *attachment);
void attachment004_end(struct attachment004 *attachment);

void stream004_wait(struct stream004 *stream, struct waiter004 *waiter);
void waiter004_end(struct waiter004 *waiter);
void stream004_wake(struct stream004 *stream);

/* Tells the peer key server that the stream was joined, or that our end of an opening is gone. */
void stream004_tell_joined(struct streams004 *streams, const struct stream004 *stream);
void stream004_tell_closed(struct streams004 *streams, const struct key_id *id, uint64_t opening,
                           enum stream_end_reason reason);

/* Sees to it that a position will be held, sooner or later, unless it was: cuts it now, or when
 * there are blocks, or asks the peer. */
void chunk004_request(struct streams004 *streams, struct stream004 *stream, uint32_t index);

/* The peer announced a position, of a stream that may be gone (NULL). */
void chunk004_arrived(struct streams004 *streams, struct stream004 *stream,
                      const struct stream_chunk *chunk);

/* The stream is not unrecorded any more: its wishes join those of the others. */
void chunk004_recorded(struct streams004 *streams, struct stream004 *stream);

/* Cuts what was wished for while there are blocks. */
void chunk004_serve(struct streams004 *streams);
void chunk004_drop_wishes(struct streams004 *streams, struct stream004 *stream);

/* What the link tells us; arg is the struct streams004. */
extern const struct link_streams peer004_events;

#endif
