/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a link. Private to link.c, link_calls.c and link_quantum.c. */
#ifndef QKD_KME_LINK_PARTS_H
#define QKD_KME_LINK_PARTS_H

#include <sys/queue.h>

#include <event2/event.h>

#include "kme/link.h"
#include "kme/link_session.h"
#include "kme/quantum_sim.h"

enum { LINK_QUANTUM_TICK_MS = 10 };

struct connection;

struct link {
    const struct env *env;
    struct peer *peer;
    struct link_session *session;
    struct event *redial, *heartbeat, *acknowledge, *flush, *quantum_tick;
    int redial_ms;
    bool told_failure;
    int64_t since_ns; /* up, or down */
    struct quantum_sim sim;
    TAILQ_HEAD(, connection) connections;
    struct connection *current;   /* the one with the peer, authenticated */
    const struct link_keys *keys; /* NULL before there is a service */
    void *keys_arg;
    const struct link_streams *streams; /* NULL without ETSI 004 */
    void *streams_arg;
};

struct connection {
    struct link *link;
    struct stream *stream;
    TAILQ_ENTRY(connection) next;
};

/* Ends a connection; the link dials again if it is the one that does. */
void link_fail(struct connection *connection, const char *reason);

/* Of the connection with the peer; NULL when there is none. */
struct buf *link_output(const struct link *link);
void link_after_ms(struct event *event, int ms);

/* Of what the peer was told, how much it has acknowledged, or will never hear of. */
uint64_t link_heard(const struct link *link);

/* The source's timer: makes what the rate has made due, and sends it. */
void link_quantum_tick(evutil_socket_t ignored, short what, void *arg);

#endif
