/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When there is nothing to resume, as after a restart of either end: each tells the other the IDs
 * of all its unassigned blocks, and of those in assignments that the other may not have heard of.
 * What only one end has is of no use, and is wiped. What both have stays, assignments included.
 */
#include "kme/link_session_parts.h"

#include <string.h>

#include <openssl/crypto.h>

/* A block of an assignment in waiting. */
struct lent_block {
    struct key_id id; /* first: see id_table.h */
    struct unacknowledged *kept;
};

struct telling {
    struct frame_ids ids;
    struct buf *out;
};

static void tell(struct telling *telling, bool last)
{
    telling->ids.last = last;
    link_put_inventory(telling->out, &telling->ids);
    telling->ids.count = 0;
}

static void tell_block(void *arg, const struct key_id *block_id)
{
    struct telling *telling = arg;

    if (telling->ids.count == LINK_IDS_MAX)
        tell(telling, false);
    telling->ids.ids[telling->ids.count++] = *block_id;
}

/* The blocks that an encoded frame of ours, which brings a key, is about. They are in *frame. */
static const struct key_id *blocks_of(const struct unacknowledged *kept, struct frame *frame,
                                      size_t *count)
{
    struct status status = STATUS_INIT;
    size_t used;

    link_parse(kept->frame, kept->length, frame, &used, &status);
    *count = frame->type == FRAME_RELAY ? frame->u.relay.pad.block_count
                                        : frame->u.assign.assignment.block_count;
    return frame->type == FRAME_RELAY ? frame->u.relay.pad.blocks
                                      : frame->u.assign.assignment.blocks;
}

static void remember_lent(struct link_session *session, struct unacknowledged *kept,
                          const struct key_id *id)
{
    struct lent_block *lent = OPENSSL_zalloc(sizeof(*lent));

    /* Out of memory: as if the peer had it. It will say that it does not. */
    if (lent == NULL) {
        kept->listed = true;
        return;
    }
    lent->id = *id;
    lent->kept = kept;
    if (!id_table_put(&session->lent, lent)) {
        kept->listed = true;
        OPENSSL_free(lent);
    }
}

static void forget_block(void *item)
{
    OPENSSL_free(item);
}

void session_forget_lent(struct link_session *session)
{
    id_table_clear(&session->lent, forget_block);
}

/* The blocks of assignments that the peer may not have heard of. */
static void tell_lent(struct link_session *session, struct telling *telling)
{
    struct unacknowledged *kept;
    struct frame frame;

    for (kept = STAILQ_FIRST(&session->waiting); kept != NULL; kept = STAILQ_NEXT(kept, next)) {
        const struct key_id *blocks;
        size_t count;

        if (!kept->brings_key)
            continue;
        blocks = blocks_of(kept, &frame, &count);
        kept->listed = false;
        for (size_t i = 0; i < count; i++) {
            tell_block(telling, &blocks[i]);
            remember_lent(session, kept, &blocks[i]);
        }
    }
}

void session_reconcile(struct link_session *session, struct buf *out)
{
    struct telling telling = {.out = out};

    session->blocks_sent = session->blocks_received = session->blocks_acknowledged = 0;
    session->assigns_sent = session->assigns_received = session->assigns_acknowledged = 0;
    session->inventory_received = session->ready_sent = session->ready_received = false;
    session_drop_requests(session);
    session_forget_lent(session);
    store_list_begin(session->store);
    store_inventory(session->store, tell_block, &telling);
    tell(&telling, false);
    telling.ids.assigned = true;
    tell_lent(session, &telling);
    tell(&telling, true);
}

/* The peer lacks all blocks of it, or it is about what the peer has forgotten. What the peer has
 * some blocks of is sent, so that it burns those. */
static bool is_lost(const struct unacknowledged *kept)
{
    return !kept->brings_key || !kept->listed;
}

/* Takes each from the front, and puts what stays at the end: the order is the same afterwards. */
static void drop_lost(struct link_session *session)
{
    for (size_t left = session->waiting_count; left > 0; left--) {
        struct unacknowledged *first = STAILQ_FIRST(&session->waiting);

        if (is_lost(first)) {
            session_count_lost(session, LOSS_PEER_RESTART, first->size_bits);
            session_pop_waiting(session);
        } else {
            STAILQ_REMOVE_HEAD(&session->waiting, next);
            STAILQ_INSERT_TAIL(&session->waiting, first, next);
        }
    }
}

static void send_waiting(struct link_session *session, struct buf *out)
{
    struct unacknowledged *kept;

    for (kept = STAILQ_FIRST(&session->waiting); kept != NULL; kept = STAILQ_NEXT(kept, next)) {
        kept->sequence = ++session->assigns_sent;
        link_renumber(kept->frame, kept->sequence);
        buf_put(out, kept->frame, kept->length);
    }
}

static void try_up(struct link_session *session, struct buf *out)
{
    if (session->state != SESSION_RECONCILING || !session->ready_sent || !session->ready_received)
        return;
    drop_lost(session);
    session_forget_lent(session);
    memcpy(session->peer_epoch, session->hello_epoch, LINK_EPOCH_BYTES);
    session->assigns_sent = 0;
    send_waiting(session, out);
    session_move(session, SESSION_UP);
    session->events->up(session->arg, false);
    link_session_stock(session, 0, out);
}

/* The peer may send its assignments again once the segments they are cut from are open here. */
void session_try_ready(struct link_session *session, struct buf *out)
{
    if (session->state != SESSION_RECONCILING || !session->inventory_received ||
        session->ready_sent || !store_open_listed(session->store))
        return;
    session->ready_sent = true;
    link_put_reconciled(out);
    try_up(session, out);
}

bool session_take_inventory(struct link_session *session, const struct frame *frame,
                            struct buf *out, struct status *status)
{
    const struct frame_ids *ids = &frame->u.ids;
    size_t dropped, confirmed;

    if (session->state != SESSION_RECONCILING || session->inventory_received)
        return status_fail(status, OUTCOME_PEER, "the peer told its inventory out of turn");
    for (size_t i = 0; i < ids->count; i++) {
        const struct lent_block *lent = id_table_get(&session->lent, &ids->ids[i]);

        if (lent != NULL)
            lent->kept->listed = true;
        store_list(session->store, &ids->ids[i], ids->assigned);
    }
    if (!ids->last)
        return true;
    session->inventory_received = true;
    dropped = store_reconcile(session->store, &confirmed);
    session_count_lost(session, LOSS_PEER_RESTART, (uint64_t)dropped * BLOCK_BITS);
    session->peer->counters.generated_bits += (uint64_t)confirmed * BLOCK_BITS;
    session_try_ready(session, out);
    return true;
}

bool session_take_reconciled(struct link_session *session, const struct frame *frame,
                             struct buf *out, struct status *status)
{
    (void)frame;
    if (session->state != SESSION_RECONCILING || !session->inventory_received ||
        session->ready_received)
        return status_fail(status, OUTCOME_PEER, "the peer was reconciled out of turn");
    session->ready_received = true;
    try_up(session, out);
    return true;
}
