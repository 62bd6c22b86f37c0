/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/link_session.h"

#include <string.h>
#include <sys/queue.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/deadline.h"
#include "kme/config.h"
#include "kme/metrics.h"

enum { LIFETIME_MAX_S = 604800 };

/* An assignment as it was sent; no secret. */
struct unacknowledged {
    STAILQ_ENTRY(unacknowledged) next;
    uint64_t sequence;
    uint32_t size_bits;
    size_t length;
    uint8_t frame[];
};

struct link_session {
    const struct env *env;
    struct peer *peer;
    struct store *store;
    const struct link_session_events *events;
    void *arg;
    bool up;
    uint8_t epoch[LINK_EPOCH_BYTES], peer_epoch[LINK_EPOCH_BYTES];
    uint64_t blocks_sent, blocks_received, blocks_acknowledged; /* the last: by us */
    uint64_t assigns_sent, assigns_received, assigns_acknowledged;
    uint64_t peer_capacity_blocks;
    STAILQ_HEAD(, unacknowledged) waiting; /* assignments, oldest first */
    size_t waiting_count;
    struct buf scratch; /* for encoding an assignment */
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
    buf_init(&session->scratch, 2 * LINK_FRAME_MAX_BYTES);
    return session;
}

static void pop_waiting(struct link_session *session)
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
        pop_waiting(session);
    buf_free(&session->scratch);
    OPENSSL_free(session);
}

bool link_session_is_source(const struct link_session *session)
{
    return strcmp(session->env->config->kme_id, session->peer->kme_id) < 0;
}

static uint64_t own_capacity_blocks(const struct link_session *session)
{
    return (uint64_t)peer_config(session->env, session->peer)->capacity_bits / BLOCK_BITS;
}

static size_t unassigned_blocks(const struct link_session *session)
{
    return store_usable(session->store, BLOCK_OURS) + store_usable(session->store, BLOCK_PEERS) +
           store_pending(session->store, BLOCK_OURS) + store_pending(session->store, BLOCK_PEERS);
}

static void count_lost(struct link_session *session, enum metric_loss reason, uint64_t bits)
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
    hello.capacity_blocks = own_capacity_blocks(session);
    strcpy(hello.kme_id, session->env->config->kme_id);
    link_put_hello(out, &hello);
}

void link_session_disconnect(struct link_session *session)
{
    session->up = false;
}

bool link_session_is_up(const struct link_session *session)
{
    return session->up;
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
        pop_waiting(session);
    return true;
}

static void start_over(struct link_session *session, const struct frame_hello *hello)
{
    size_t blocks = store_drop_unassigned(session->store);

    count_lost(session, LOSS_PEER_RESTART, (uint64_t)blocks * BLOCK_BITS);
    while (!STAILQ_EMPTY(&session->waiting)) {
        count_lost(session, LOSS_PEER_RESTART, STAILQ_FIRST(&session->waiting)->size_bits);
        pop_waiting(session);
    }
    memcpy(session->peer_epoch, hello->epoch, LINK_EPOCH_BYTES);
    session->blocks_sent = session->blocks_received = session->blocks_acknowledged = 0;
    session->assigns_sent = session->assigns_received = session->assigns_acknowledged = 0;
}

static bool resume(struct link_session *session, const struct frame_hello *hello, struct buf *out,
                   struct status *status)
{
    struct unacknowledged *assign;

    if (!settle(session, hello->blocks_through, hello->assigns_through, status))
        return false;
    count_lost(session, LOSS_LINK, (uint64_t)store_drop_pending(session->store) * BLOCK_BITS);
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

    if (session->up)
        return status_fail(status, OUTCOME_PEER, "the peer said hello twice");
    if (strcmp(hello->kme_id, session->peer->kme_id) != 0)
        return status_fail(status, OUTCOME_PEER, "the peer calls itself '%s', not '%s'",
                           hello->kme_id, session->peer->kme_id);
    if (!resumed)
        start_over(session, hello);
    else if (!resume(session, hello, out, status))
        return false;
    session->peer_capacity_blocks = hello->capacity_blocks;
    session->up = true;
    session->events->up(session->arg, resumed);
    return true;
}

static bool take_ack(struct link_session *session, const struct frame *frame, struct buf *out,
                     struct status *status)
{
    size_t usable = store_usable(session->store, BLOCK_OURS);

    (void)out;
    if (!settle(session, frame->u.ack.blocks_through, frame->u.ack.assigns_through, status))
        return false;
    if (store_usable(session->store, BLOCK_OURS) > usable)
        session->events->stocked(session->arg);
    return true;
}

static bool take_blocks(struct link_session *session, const struct frame *frame, struct buf *out,
                        struct status *status)
{
    const struct frame_blocks *blocks = &frame->u.blocks;

    (void)out;
    if (link_session_is_source(session) || blocks->first_sequence != session->blocks_received + 1)
        return status_fail(status, OUTCOME_PEER, "the peer sent blocks out of turn");
    if (unassigned_blocks(session) + blocks->count > own_capacity_blocks(session))
        return status_fail(status, OUTCOME_PEER, "the peer sent more blocks than capacity_bits");
    for (size_t i = 0; i < blocks->count; i++) {
        if (!store_add(session->store, &blocks->blocks[i], 0))
            return status_fail(status, OUTCOME_PEER, "a block of the peer cannot be stored");
        session->blocks_received++;
        session->peer->counters.generated_bits += BLOCK_BITS;
    }
    session->events->stocked(session->arg);
    return true;
}

/* Of assignments and streams. What was sent again may be known. */
static bool take_number(struct link_session *session, uint64_t sequence, bool *is_new,
                        struct status *status)
{
    *is_new = sequence == session->assigns_received + 1;
    if (sequence > session->assigns_received + 1)
        return status_fail(status, OUTCOME_PEER, "the peer skipped an assignment");
    if (*is_new)
        session->assigns_received++;
    return true;
}

static bool take_stream(struct link_session *session, const struct frame *frame, struct buf *out,
                        struct status *status)
{
    bool is_new;

    (void)out;
    if (!take_number(session, frame->u.stream.sequence, &is_new, status))
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
    if (!take_number(session, frame->u.assign.sequence, &is_new, status) || !is_new)
        return status->outcome == OUTCOME_OK;
    assignment = frame->u.assign.assignment;
    if (assignment.lifetime_s > LIFETIME_MAX_S)
        assignment.lifetime_s = LIFETIME_MAX_S;
    if (!store_assign(session->store, &assignment, monotonic_ns(), &displaced_bits, &failed)) {
        count_lost(session, LOSS_MISMATCH, assignment.size_bits);
        log_line(session->env->log, LOG_LEVEL_WARN, "an assignment for '%s' is lost: %s",
                 assignment.responders.text, failed.text);
        return true;
    }
    count_lost(session, LOSS_DISPLACED, displaced_bits);
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
    if (!take_number(session, relay->sequence, &is_new, status) || !is_new)
        return status->outcome == OUTCOME_OK;
    if (relayed.lifetime_s > LIFETIME_MAX_S)
        relayed.lifetime_s = LIFETIME_MAX_S;
    if (store_cut_peers(session->store, &relay->pad, &key, &failed)) {
        open_pad(key, relay->ciphertext);
        if (store_hold(session->store, &relayed, key, monotonic_ns(), &displaced_bits, &failed)) {
            count_lost(session, LOSS_DISPLACED, displaced_bits);
            session->events->assigned(session->arg, &relayed.key_id);
            return true;
        }
    }
    count_lost(session, LOSS_MISMATCH, (uint64_t)relay->pad.size_bytes * 8);
    log_line(session->env->log, LOG_LEVEL_WARN, "a relayed key for '%s' is lost: %s",
             relayed.responders.text, failed.text);
    return true;
}

bool link_session_take(struct link_session *session, const struct frame *frame, struct buf *out,
                       struct status *status)
{
    static const struct {
        enum frame_type type;
        bool (*take)(struct link_session *, const struct frame *, struct buf *, struct status *);
    } takers[] = {
        {FRAME_HELLO, take_hello},          {FRAME_ACK, take_ack},
        {FRAME_ASSIGN, take_assign},        {FRAME_RELAY, take_relay},
        {FRAME_STREAM_OPEN, take_stream},   {FRAME_STREAM_JOINED, take_stream},
        {FRAME_STREAM_CHUNK, take_stream},  {FRAME_STREAM_WANT, take_stream},
        {FRAME_STREAM_CLOSED, take_stream}, {FRAME_SIMULATED_QUANTUM, take_blocks},
    };

    if (!session->up && frame->type != FRAME_HELLO)
        return status_fail(status, OUTCOME_PEER, "the peer did not say hello first");
    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++)
        if (takers[i].type == frame->type)
            return takers[i].take(session, frame, out, status);
    return status_fail(status, OUTCOME_INTERNAL, "a frame of type 0x%02x has no taker",
                       (unsigned)frame->type);
}

size_t link_session_capacity_blocks(const struct link_session *session)
{
    uint64_t capacity = own_capacity_blocks(session), peers = session->peer_capacity_blocks;

    return (size_t)(peers > 0 && peers < capacity ? peers : capacity);
}

size_t link_session_room_blocks(const struct link_session *session)
{
    size_t capacity = link_session_capacity_blocks(session), used = unassigned_blocks(session);

    return used >= capacity ? 0 : capacity - used;
}

bool link_session_send_blocks(struct link_session *session, struct frame_blocks *blocks,
                              struct buf *out)
{
    struct store *store = session->store;

    blocks->first_sequence = session->blocks_sent + 1;
    for (size_t i = 0; i < blocks->count; i++) {
        size_t ours = store_usable(store, BLOCK_OURS) + store_pending(store, BLOCK_OURS);
        size_t peers = store_usable(store, BLOCK_PEERS) + store_pending(store, BLOCK_PEERS);

        blocks->blocks[i].owner = ours <= peers ? BLOCK_OURS : BLOCK_PEERS;
        if (!store_add(store, &blocks->blocks[i], session->blocks_sent + 1))
            return false;
        session->blocks_sent++;
    }
    link_put_blocks(out, blocks);
    return true;
}

bool link_session_has_room(const struct link_session *session, size_t count)
{
    return session->waiting_count + count <= LINK_ASSIGNS_MAX;
}

/* Keeps the encoded frame until it is acknowledged. While down it waits for a resumption. */
static bool send_scratch(struct link_session *session, uint32_t bits, struct buf *out)
{
    struct unacknowledged *kept;

    if (session->scratch.failed)
        return false;
    kept = OPENSSL_malloc(sizeof(*kept) + session->scratch.length);
    if (kept == NULL)
        return false;
    kept->sequence = ++session->assigns_sent;
    kept->size_bits = bits;
    kept->length = session->scratch.length;
    memcpy(kept->frame, session->scratch.data, kept->length);
    STAILQ_INSERT_TAIL(&session->waiting, kept, next);
    session->waiting_count++;
    if (session->up)
        buf_put(out, kept->frame, kept->length);
    return true;
}

bool link_session_assign(struct link_session *session, const struct assignment *assignment,
                         struct buf *out)
{
    struct frame_assign frame = {session->assigns_sent + 1, *assignment};

    buf_reset(&session->scratch);
    link_put_assign(&session->scratch, &frame);
    return send_scratch(session, assignment->size_bits, out);
}

bool link_session_relay(struct link_session *session, struct frame_relay *relay, struct buf *out)
{
    relay->sequence = session->assigns_sent + 1;
    buf_reset(&session->scratch);
    link_put_relay(&session->scratch, relay);
    return send_scratch(session, relay->pad.size_bytes * 8, out);
}

bool link_session_send_stream(struct link_session *session, struct frame *frame, uint32_t bits,
                              struct buf *out)
{
    frame->u.stream.sequence = session->assigns_sent + 1;
    buf_reset(&session->scratch);
    link_put_stream(&session->scratch, frame);
    return send_scratch(session, bits, out);
}
