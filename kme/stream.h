/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A non-blocking stream of octets on the event loop, with TLS or without: one read(2) and one
 * write(2) per exchange of messages that fit a TLS record. Bounded in both directions: it stops
 * reading while the input is full, and an output that does not fit ends it.
 *
 * The owner gets events and may free the stream from within any of them. After `closed` nothing
 * more comes, and the owner must free it.
 */
#ifndef QKD_KME_STREAM_H
#define QKD_KME_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/types.h>

#include "base/buf.h"

struct event_base;
struct stream;

struct stream_events {
    /* Connected, and the TLS handshake is over; tls is NULL without TLS. */
    void (*opened)(void *arg, SSL *tls);
    /* The input grew. Consume from the front what can be used. */
    void (*received)(void *arg, struct buf *input);
    /* All output was written after some of it had to wait. */
    void (*drained)(void *arg);
    /* Ended, by either side. The reason is "" for an orderly end by the other side. */
    void (*closed)(void *arg, const char *reason);
};

struct stream_limits {
    size_t input_max_bytes;
    size_t output_max_bytes;
    int handshake_ms; /* for connecting and the TLS handshake together */
    int idle_ms;      /* without input */
};

enum stream_start { STREAM_ACCEPTED, STREAM_DIALLED /* connect(2) is under way */ };

/* Takes fd and tls over (also on failure). NULL when out of memory. */
struct stream *stream_new(struct event_base *base, int fd, SSL *tls, enum stream_start start,
                          const struct stream_limits *limits, const struct stream_events *events,
                          void *arg);

/* From now on another owner has the events; also from within one of them. */
void stream_hand_over(struct stream *stream, const struct stream_events *events, void *arg);

/* Wipes the buffers and closes at once. NULL is allowed. */
void stream_free(struct stream *stream);

/* Where output is appended; stream_flush then writes what it can. */
struct buf *stream_output(struct stream *stream);
void stream_flush(struct stream *stream);

/* Octets that wait to be written. */
size_t stream_backlog_bytes(const struct stream *stream);

/* Writes the output, ends our side, gives the other one a second to end its own, and closes. */
void stream_finish(struct stream *stream);

/* The same without the last octets of the output, and with no end of TLS: as if this machine had
 * failed. */
void stream_cut(struct stream *stream, size_t missing_bytes);

/* The input may have room again, or the owner wants to see it again: `received` comes soon. */
void stream_resume(struct stream *stream);

#endif
