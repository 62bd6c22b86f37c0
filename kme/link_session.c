/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/link_session_parts.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/deadline.h"
#include "kme/config.h"
#include "kme/shelf.h"

enum {
    LIFETIME_MAX_S = 604800,
    UNHEARD_MAX = 2 * LINK_ASSIGNS_MAX /* answers to the peer among what waits */
};

struct link_session *link_session_new(const struct env *env, struct peer *peer,
                                      const struct link_session_events *events, void *arg,
                                      struct status *status)
{
    struct link_session *session = OPENSSL_zalloc(sizeof(*session));

    if (session == NULL || RAND_bytes_ex(env->libctx, session->epoch, LINK_EPOCH_BYTES, 0) != 1) {
        OPENSSL_free(session);
        status_fail(status, OUTCOME_INTERNAL, "no memory or no random numbers for the link");
        return NULL;
    }
    session->env = env;
    session->peer = peer;
    session->store = peer->store;
    session->events = events;
    session->arg = arg;
    STAILQ_INIT(&session->waiting);
    STAILQ_INIT(&session->requests);
    buf_init(&session->scratch, 2 * LINK_FRAME_MAX_BYTES);
    return session;
}

void session_pop_waiting(struct link_session *session)
{
    struct unacknowledged *first = STAILQ_FIRST(&session->waiting);

    STAILQ_REMOVE_HEAD(&session->waiting, next);
    session->waiting_count--;
    OPENSSL_free(first);
}

void link_session_free(struct link_session *session)
{
    if (session == NULL)
        return;
    while (!STAILQ_EMPTY(&session->waiting))
        session_pop_waiting(session);
    session_drop_requests(session);
    session_forget_lent(session);
    buf_free(&session->scratch);
    OPENSSL_free(session);
}

bool link_session_is_source(const struct link_session *session)
{
    return strcmp(session->env->config->kme_id, session->peer->kme_id) < 0;
}

void session_move(struct link_session *session, enum session_state state)
{
    session->state = state;
}

uint64_t session_capacity_blocks(const struct link_session *session)
{
    return (uint64_t)peer_config(session->env, session->peer)->capacity_bits / BLOCK_BITS;
}

void session_count_lost(struct link_session *session, enum metric_loss reason, uint64_t bits)
{
    session->peer->counters.lost_bits[reason] += bits;
}

void link_session_greet(struct link_session *session, struct buf *out)
{
    struct frame_hello hello;

    memset(&hello, 0, sizeof(hello));
    memcpy(hello.epoch, session->epoch, LINK_EPOCH_BYTES);
    memcpy(hello.peer_epoch, session->peer_epoch, LINK_EPOCH_BYTES);
    hello.blocks_through = session->blocks_received;
    hello.assigns_through = session->assigns_received;
    hello.capacity_blocks = session_capacity_blocks(session);
    hello.window_blocks = (uint64_t)session->env->config->store.window_bits / BLOCK_BITS;
    strcpy(hello.kme_id, session->env->config->kme_id);
    link_put_hello(out, &hello);
    session_move(session, SESSION_GREETED);
}

void link_session_disconnect(struct link_session *session)
{
    session_move(session, SESSION_DOWN);
}

bool link_session_is_up(const struct link_session *session)
{
    return session->state == SESSION_UP;
}

bool link_session_is_talking(const struct link_session *session)
{
    return session->state >= SESSION_RECONCILING;
}

void link_session_put_ack(struct link_session *session, struct buf *out)
{
    struct frame_ack ack = {session->blocks_received, session->assigns_received};

    link_put_ack(out, &ack);
    session->blocks_acknowledged = session->blocks_received;
    session->assigns_acknowledged = session->assigns_received;
}

bool link_session_owes_ack(const struct link_session *session)
{
    return session->blocks_acknowledged != session->blocks_received ||
           session->assigns_acknowledged != session->assigns_received;
}

/* What the peer has received, as its hello and its acknowledgements say. */
static bool settle(struct link_session *session, uint64_t blocks_through, uint64_t assigns_through,
                   struct status *status)
{
    if (blocks_through > session->blocks_sent || assigns_through > session->assigns_sent)
        return status_fail(status, OUTCOME_PEER, "the peer acknowledges what was never sent");
    session->peer->counters.generated_bits +=
        store_confirm(session->store, blocks_through) * BLOCK_BITS;
    while (!STAILQ_EMPTY(&session->waiting) &&
           STAILQ_FIRST(&session->waiting)->sequence <= assigns_through)
        session_pop_waiting(session);
    return true;
}

static bool resume(struct link_session *session, const struct frame_hello *hello, struct buf *out,
                   struct status *status)
{
    struct unacknowledged *assign;

    if (!settle(session, hello->blocks_through, hello->assigns_through, status))
        return false;
    session_count_lost(session, LOSS_LINK,
                       (uint64_t)store_drop_pending(session->store) * BLOCK_BITS);
    session->blocks_sent = hello->blocks_through;
    STAILQ_FOREACH(assign, &session->waiting, next)
    buf_put(out, assign->frame, assign->length);
    return true;
}

static bool take_hello(struct link_session *session, const struct frame *frame, struct buf *out,
                       struct status *status)
{
    const struct frame_hello *hello = &frame->u.hello;
    bool resumed = memcmp(hello->epoch, session->peer_epoch, LINK_EPOCH_BYTES) == 0 &&
                   memcmp(hello->peer_epoch, session->epoch, LINK_EPOCH_BYTES) == 0;

    if (session->state != SESSION_GREETED)
        return status_fail(status, OUTCOME_PEER, "the peer said hello twice");
    if (strcmp(hello->kme_id, session->peer->kme_id) != 0)
        return status_fail(status, OUTCOME_PEER, "the peer calls itself '%s', not '%s'",
                           hello->kme_id, session->peer->kme_id);
    session->peer_capacity_blocks = hello->capacity_blocks;
    session->peer_window_blocks = hello->window_blocks;
    memcpy(session->hello_epoch, hello->epoch, LINK_EPOCH_BYTES);
    if (!resumed) {
        /* Until it is done, an end that is cut off must not take it for done. */
        memset(session->peer_epoch, 0, LINK_EPOCH_BYTES);
        session_move(session, SESSION_RECONCILING);
        session_reconcile(session, out);
        return true;
    }
    if (!resume(session, hello, out, status))
        return false;
    session_move(session, SESSION_UP);
    session->events->up(session->arg, true);
    session_answer_requests(session, out);
    link_session_stock(session, 0, out);
    return true;
}

static bool take_ack(struct link_session *session, const struct frame *frame, struct buf *out,
                     struct status *status)
{
    size_t usable = store_usable(session->store, BLOCK_OURS);

    if (!settle(session, frame->u.ack.blocks_through, frame->u.ack.assigns_through, status))
        return false;
    session_answer_requests(session, out); /* what was pending may rest now */
    link_session_stock(session, 0, out);
    if (store_usable(session->store, BLOCK_OURS) > usable)
        session->events->stocked(session->arg);
    return true;
}

static bool take_blocks(struct link_session *session, const struct frame *frame, struct buf *out,
                        struct status *status)
{
    const struct frame_blocks *blocks = &frame->u.blocks;
    size_t usable = store_usable(session->store, BLOCK_OURS);

    if (link_session_is_source(session) || blocks->first_sequence != session->blocks_received + 1)
        return status_fail(status, OUTCOME_PEER, "the peer sent blocks out of turn");
    if (store_unassigned(session->store) + blocks->count > session_capacity_blocks(session))
        return status_fail(status, OUTCOME_PEER, "the peer sent more blocks than capacity_bits");
    if (!store_add(session->store, &blocks->head, blocks->blocks, blocks->count, 0))
        return status_fail(status, OUTCOME_PEER, "blocks of the peer cannot be stored");
    session->blocks_received += blocks->count;
    session->peer->counters.generated_bits += blocks->count * BLOCK_BITS;
    link_session_stock(session, 0, out);
    if (store_usable(session->store, BLOCK_OURS) > usable)
        session->events->stocked(session->arg);
    return true;
}

bool session_take_number(struct link_session *session, uint64_t sequence, bool *is_new,
                         struct status *status)
{
    *is_new = sequence == session->assigns_received + 1;
    if (sequence > session->assigns_received + 1)
        return status_fail(status, OUTCOME_PEER, "the peer skipped an assignment");
    if (*is_new && session->waiting_count >= UNHEARD_MAX)
        return status_fail(status, OUTCOME_PEER,
                           "the peer goes on and acknowledges none of %d frames", UNHEARD_MAX);
    if (*is_new)
        session->assigns_received++;
    return true;
}

static bool take_stream(struct link_session *session, const struct frame *frame, struct buf *out,
                        struct status *status)
{
    bool is_new;

    (void)out;
    if (!session_take_number(session, frame->u.stream.sequence, &is_new, status))
        return false;
    if (is_new)
        session->events->stream(session->arg, frame);
    return true;
}

/* What cannot be assigned is counted and acknowledged: sent again it would fail again. */
static bool take_assign(struct link_session *session, const struct frame *frame, struct buf *out,
                        struct status *status)
{
    struct assignment assignment;
    struct status failed = STATUS_INIT;
    uint64_t displaced_bits;
    bool is_new;

    (void)out;
    if (!session_take_number(session, frame->u.assign.sequence, &is_new, status) || !is_new)
        return status->outcome == OUTCOME_OK;
    assignment = frame->u.assign.assignment;
    if (assignment.lifetime_s > LIFETIME_MAX_S)
        assignment.lifetime_s = LIFETIME_MAX_S;
    if (!store_assign(session->store, &assignment, monotonic_ns(), &displaced_bits, &failed)) {
        store_burn_peers(session->store, assignment.blocks, assignment.block_count);
        session_count_lost(session, LOSS_MISMATCH, assignment.size_bits);
        log_line(session->env->log, LOG_LEVEL_WARN, "an assignment for '%s' is lost: %s",
                 assignment.responders.text, failed.text);
        return true;
    }
    session_count_lost(session, LOSS_DISPLACED, displaced_bits);
    session->events->assigned(session->arg, &assignment.key_id);
    return true;
}

/* Opens what came under the one-time pad; the pad becomes the key. */
static void open_pad(struct secret *pad, const uint8_t *ciphertext)
{
    for (size_t i = 0; i < pad->size_bytes; i++)
        pad->bytes[i] ^= ciphertext[i];
}

/* As take_assign. */
static bool take_relay(struct link_session *session, const struct frame *frame, struct buf *out,
                       struct status *status)
{
    const struct frame_relay *relay = &frame->u.relay;
    struct relayed_key relayed = relay->key;
    struct status failed = STATUS_INIT;
    struct secret *key;
    uint64_t displaced_bits;
    bool is_new;

    (void)out;
    if (!session_take_number(session, relay->sequence, &is_new, status) || !is_new)
        return status->outcome == OUTCOME_OK;
    if (relayed.lifetime_s > LIFETIME_MAX_S)
        relayed.lifetime_s = LIFETIME_MAX_S;
    if (store_cut_peers(session->store, &relay->pad, &key, &failed)) {
        open_pad(key, relay->ciphertext);
        if (store_hold(session->store, &relayed, key, monotonic_ns(), &displaced_bits, &failed)) {
            session_count_lost(session, LOSS_DISPLACED, displaced_bits);
            session->events->assigned(session->arg, &relayed.key_id);
            return true;
        }
    }
    store_burn_peers(session->store, relay->pad.blocks, relay->pad.block_count);
    session_count_lost(session, LOSS_MISMATCH, (uint64_t)relay->pad.size_bytes * 8);
    log_line(session->env->log, LOG_LEVEL_WARN, "a relayed key for '%s' is lost: %s",
             relayed.responders.text, failed.text);
    return true;
}

bool link_session_take(struct link_session *session, const struct frame *frame, struct buf *out,
                       struct status *status)
{
    static const struct {
        enum frame_type type;
        enum session_state from; /* the least */
        bool (*take)(struct link_session *, const struct frame *, struct buf *, struct status *);
    } takers[] = {
        {FRAME_HELLO, SESSION_GREETED, take_hello},
        {FRAME_ACK, SESSION_RECONCILING, take_ack},
        {FRAME_INVENTORY, SESSION_RECONCILING, session_take_inventory},
        {FRAME_RECONCILED, SESSION_RECONCILING, session_take_reconciled},
        {FRAME_ASSIGN, SESSION_UP, take_assign},
        {FRAME_RELAY, SESSION_UP, take_relay},
        {FRAME_STREAM_OPEN, SESSION_UP, take_stream},
        {FRAME_STREAM_JOINED, SESSION_UP, take_stream},
        {FRAME_STREAM_CHUNK, SESSION_UP, take_stream},
        {FRAME_STREAM_WANT, SESSION_UP, take_stream},
        {FRAME_STREAM_CLOSED, SESSION_UP, take_stream},
        {FRAME_SEGMENTS_OPEN, SESSION_UP, session_take_open},
        {FRAME_SEGMENTS_OPENED, SESSION_UP, session_take_opened},
        {FRAME_SIMULATED_QUANTUM, SESSION_UP, take_blocks},
    };

    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
        if (takers[i].type != frame->type)
            continue;
        if (session->state < takers[i].from)
            return status_fail(status, OUTCOME_PEER,
                               "the peer sent a frame of type 0x%02x before its time",
                               (unsigned)frame->type);
        return takers[i].take(session, frame, out, status);
    }
    return status_fail(status, OUTCOME_INTERNAL, "a frame of type 0x%02x has no taker",
                       (unsigned)frame->type);
}

/* What is made must be able to rest at this end. */
static bool shelf_is_good(const struct link_session *session)
{
    struct status status = STATUS_INIT;

    return session->env->shelf == NULL || shelf_ok(session->env->shelf, &status);
}

size_t link_session_capacity_blocks(const struct link_session *session)
{
    uint64_t capacity = session_capacity_blocks(session), peers = session->peer_capacity_blocks;

    return (size_t)(peers > 0 && peers < capacity ? peers : capacity);
}

size_t link_session_room_blocks(const struct link_session *session)
{
    size_t capacity = link_session_capacity_blocks(session);
    size_t used = store_unassigned(session->store);

    return used >= capacity || !shelf_is_good(session) ? 0 : capacity - used;
}

static size_t owned_by(const struct store *store, enum block_owner owner)
{
    size_t count = 0;

    for (int state = 0; state < SEGMENT_STATES; state++)
        count += store_blocks(store, owner, (enum segment_state)state);
    return count;
}

/* What both have at hand is kept in memory; beyond the window it rests. */
static bool send_segment(struct link_session *session, enum block_owner owner,
                         const struct block *blocks, size_t count, struct buf *out)
{
    size_t window = session_window_blocks(session);
    struct frame_blocks frame;
    bool done;

    frame.first_sequence = session->blocks_sent + 1;
    frame.head.owner = owner;
    frame.head.rests = window > 0 && store_at_hand(session->store, owner) >= window;
    frame.count = count;
    memcpy(frame.blocks, blocks, count * sizeof(*blocks));
    done = RAND_bytes_ex(session->env->libctx, frame.head.id.octets, KEY_ID_BYTES, 0) == 1 &&
           store_add(session->store, &frame.head, blocks, count, session->blocks_sent + count);
    if (done) {
        session->blocks_sent += count;
        link_put_blocks(out, &frame);
    }
    OPENSSL_cleanse(&frame, sizeof(frame));
    return done;
}

bool link_session_send_blocks(struct link_session *session, const struct block *blocks,
                              size_t count, struct buf *out)
{
    size_t ours = owned_by(session->store, BLOCK_OURS);
    size_t half = (ours + owned_by(session->store, BLOCK_PEERS) + count + 1) / 2;
    size_t first = ours < half ? half - ours : 0;

    if (count > SEGMENT_BLOCKS_MAX)
        return false;
    if (first > count)
        first = count;
    return (first == 0 || send_segment(session, BLOCK_OURS, blocks, first, out)) &&
           (first == count ||
            send_segment(session, BLOCK_PEERS, blocks + first, count - first, out));
}

bool link_session_has_room(const struct link_session *session, size_t count)
{
    return session->waiting_count + count <= LINK_ASSIGNS_MAX;
}

uint64_t link_session_told(const struct link_session *session)
{
    return session->told;
}

size_t link_session_waiting(const struct link_session *session)
{
    return session->waiting_count;
}

bool session_send_scratch(struct link_session *session, uint32_t bits, bool brings_key,
                          struct buf *out)
{
    struct unacknowledged *kept;

    if (session->scratch.failed)
        return false;
    kept = OPENSSL_zalloc(sizeof(*kept) + session->scratch.length);
    if (kept == NULL)
        return false;
    kept->sequence = ++session->assigns_sent;
    kept->size_bits = bits;
    kept->brings_key = brings_key;
    kept->length = session->scratch.length;
    memcpy(kept->frame, session->scratch.data, kept->length);
    STAILQ_INSERT_TAIL(&session->waiting, kept, next);
    session->waiting_count++;
    session->told++;
    if (session->state == SESSION_UP)
        buf_put(out, kept->frame, kept->length);
    return true;
}

bool link_session_assign(struct link_session *session, const struct assignment *assignment,
                         struct buf *out)
{
    struct frame_assign frame = {session->assigns_sent + 1, *assignment};
    bool done;

    buf_reset(&session->scratch);
    link_put_assign(&session->scratch, &frame);
    done = session_send_scratch(session, assignment->size_bits, true, out);
    link_session_stock(session, 0, out);
    return done;
}

bool link_session_relay(struct link_session *session, struct frame_relay *relay, struct buf *out)
{
    bool done;

    relay->sequence = session->assigns_sent + 1;
    buf_reset(&session->scratch);
    link_put_relay(&session->scratch, relay);
    done = session_send_scratch(session, relay->pad.size_bytes * 8, true, out);
    link_session_stock(session, 0, out);
    return done;
}

bool link_session_send_stream(struct link_session *session, struct frame *frame, uint32_t bits,
                              struct buf *out)
{
    bool done;

    frame->u.stream.sequence = session->assigns_sent + 1;
    buf_reset(&session->scratch);
    link_put_stream(&session->scratch, frame);
    done = session_send_scratch(session, bits, false, out);
    link_session_stock(session, 0, out);
    return done;
}
