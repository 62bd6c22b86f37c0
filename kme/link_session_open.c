/* SPDX-License-Identifier: Apache-2.0 */
/* Opening segments with the peer, ahead of need: no request waits for a disk, at either end. */
#include "kme/link_session_parts.h"

#include <string.h>

#include <openssl/crypto.h>

enum { REQUESTS_MAX = 4096 };

size_t session_window_blocks(const struct link_session *session)
{
    uint64_t ours = (uint64_t)session->env->config->store.window_bits / BLOCK_BITS;
    uint64_t peers = session->peer_window_blocks;

    if (ours == 0 || (peers != 0 && peers < ours))
        ours = peers;
    return ours < SIZE_MAX ? (size_t)ours : SIZE_MAX;
}

static bool send_ids(struct link_session *session, enum frame_type type, struct frame_ids *ids,
                     struct buf *out)
{
    ids->sequence = session->assigns_sent + 1;
    buf_reset(&session->scratch);
    link_put_segments(&session->scratch, type, ids);
    return session_send_scratch(session, 0, false, out);
}

void link_session_stock(struct link_session *session, size_t wanted_blocks, struct buf *out)
{
    size_t window = session_window_blocks(session);
    size_t at_hand = store_at_hand(session->store, BLOCK_OURS);
    struct frame_ids ids;

    if (session->state != SESSION_UP)
        return;
    if (window == 0)
        wanted_blocks = SIZE_MAX; /* what outlived a restart of a peer whose store is memory */
    else if (at_hand < window / 2 && wanted_blocks < window)
        wanted_blocks = window;
    while (link_session_has_room(session, 1) &&
           (ids.count = store_open_ours(session->store, wanted_blocks, ids.ids, LINK_IDS_MAX)) > 0)
        if (!send_ids(session, FRAME_SEGMENTS_OPEN, &ids, out))
            return;
}

static void answer(struct link_session *session, const struct open_request *request,
                   struct buf *out)
{
    struct frame_ids ids;

    ids.count = request->count;
    memcpy(ids.ids, request->ids, request->count * sizeof(request->ids[0]));
    send_ids(session, FRAME_SEGMENTS_OPENED, &ids, out);
}

void session_answer_requests(struct link_session *session, struct buf *out)
{
    struct open_request *request;

    while ((request = STAILQ_FIRST(&session->requests)) != NULL &&
           store_open_peers(session->store, request->ids, request->count)) {
        answer(session, request, out);
        STAILQ_REMOVE_HEAD(&session->requests, next);
        session->request_count--;
        OPENSSL_free(request);
    }
}

void session_drop_requests(struct link_session *session)
{
    struct open_request *request;

    while ((request = STAILQ_FIRST(&session->requests)) != NULL) {
        STAILQ_REMOVE_HEAD(&session->requests, next);
        OPENSSL_free(request);
    }
    session->request_count = 0;
}

bool session_take_open(struct link_session *session, const struct frame *frame, struct buf *out,
                       struct status *status)
{
    const struct frame_ids *ids = &frame->u.ids;
    size_t ids_bytes = ids->count * sizeof(ids->ids[0]);
    struct open_request *request;
    bool is_new;

    if (!session_take_number(session, ids->sequence, &is_new, status) || !is_new)
        return status->outcome == OUTCOME_OK;
    if (session->request_count >= REQUESTS_MAX)
        return status_fail(status, OUTCOME_PEER, "the peer asks to open more than %d times",
                           REQUESTS_MAX);
    request = OPENSSL_malloc(sizeof(*request) + ids_bytes);
    if (request == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for segments to open");
    request->count = ids->count;
    memcpy(request->ids, ids->ids, ids_bytes);
    STAILQ_INSERT_TAIL(&session->requests, request, next);
    session->request_count++;
    /* Begun now, whatever is before it, so that one sync serves all. */
    store_open_peers(session->store, request->ids, request->count);
    session_answer_requests(session, out);
    return true;
}

bool session_take_opened(struct link_session *session, const struct frame *frame, struct buf *out,
                         struct status *status)
{
    const struct frame_ids *ids = &frame->u.ids;
    bool is_new;

    (void)out;
    if (!session_take_number(session, ids->sequence, &is_new, status) || !is_new)
        return status->outcome == OUTCOME_OK;
    if (store_opened_by_peer(session->store, ids->ids, ids->count))
        session->events->stocked(session->arg);
    return true;
}

void link_session_settled(struct link_session *session, uint64_t ticket, struct buf *out)
{
    bool grew = store_settled(session->store, ticket, session->events->assigned, session->arg);

    session_try_ready(session, out);
    session_answer_requests(session, out);
    if (grew && session->state == SESSION_UP)
        session->events->stocked(session->arg);
}
