/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a session. Private to link_session*.c. */
#ifndef QKD_KME_LINK_SESSION_PARTS_H
#define QKD_KME_LINK_SESSION_PARTS_H

#include <sys/queue.h>

#include "kme/id_table.h"
#include "kme/link_session.h"
#include "kme/metrics.h"
#include "kme/peer.h"

enum session_state {
    SESSION_DOWN,
    SESSION_GREETED,     /* our hello was sent */
    SESSION_RECONCILING, /* the peer's arrived, and nothing is to be resumed */
    SESSION_UP
};

/* A numbered frame as it was sent. No secret. */
struct unacknowledged {
    STAILQ_ENTRY(unacknowledged) next;
    uint64_t sequence;
    uint32_t size_bits;
    bool brings_key; /* an assignment, or a relayed key: outlives a restart of the peer */
    bool listed;     /* the peer has a block of it */
    size_t length;
    uint8_t frame[];
};

/* Segments that the peer wants to open: answered when they are. */
struct open_request {
    STAILQ_ENTRY(open_request) next;
    size_t count;
    struct key_id ids[];
};

struct link_session {
    const struct env *env;
    struct peer *peer;
    struct store *store;
    const struct link_session_events *events;
    void *arg;
    enum session_state state; /* written by session_move only */
    uint8_t epoch[LINK_EPOCH_BYTES];
    uint8_t peer_epoch[LINK_EPOCH_BYTES];  /* of the process that the numbers are shared with */
    uint8_t hello_epoch[LINK_EPOCH_BYTES]; /* of the one at the other end of the connection */
    uint64_t blocks_sent, blocks_received, blocks_acknowledged; /* the last: by us */
    uint64_t assigns_sent, assigns_received, assigns_acknowledged;
    uint64_t peer_capacity_blocks, peer_window_blocks;
    bool inventory_received, ready_sent, ready_received; /* while reconciling */
    STAILQ_HEAD(, unacknowledged) waiting;               /* oldest first */
    size_t waiting_count;
    uint64_t told;        /* that were ever in waiting */
    struct id_table lent; /* while reconciling: the blocks of assignments in waiting */
    STAILQ_HEAD(, open_request) requests;
    size_t request_count;
    struct buf scratch; /* for encoding a numbered frame */
};

void session_move(struct link_session *session, enum session_state state);
void session_count_lost(struct link_session *session, enum metric_loss reason, uint64_t bits);
uint64_t session_capacity_blocks(const struct link_session *session);

/* Blocks that each end keeps open; 0: all of them. */
size_t session_window_blocks(const struct link_session *session);

/* Numbered frames. Keeps what is in scratch until it is acknowledged; while down it waits for a
 * resumption. False when out of memory. */
bool session_send_scratch(struct link_session *session, uint32_t bits, bool brings_key,
                          struct buf *out);
void session_pop_waiting(struct link_session *session);

/* link_session_open.c */
bool session_take_open(struct link_session *session, const struct frame *frame, struct buf *out,
                       struct status *status);
bool session_take_opened(struct link_session *session, const struct frame *frame, struct buf *out,
                         struct status *status);
void session_answer_requests(struct link_session *session, struct buf *out);
void session_drop_requests(struct link_session *session);

/* link_session_reconcile.c */
void session_reconcile(struct link_session *session, struct buf *out);
bool session_take_inventory(struct link_session *session, const struct frame *frame,
                            struct buf *out, struct status *status);
bool session_take_reconciled(struct link_session *session, const struct frame *frame,
                             struct buf *out, struct status *status);
void session_try_ready(struct link_session *session, struct buf *out);
void session_forget_lent(struct link_session *session);

/* Whether a numbered frame is new; what was sent again may be known. */
bool session_take_number(struct link_session *session, uint64_t sequence, bool *is_new,
                         struct status *status);

#endif
