/* SPDX-License-Identifier: Apache-2.0 */
/* GET_KEY (ETSI GS QKD 004 clause 6.3). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/deadline.h"
#include "kme/call004.h"
#include "kme/config.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* Large enough for any age, so that a client which asks again with it has room. */
static const char longest_metadata[] = "{\"age\":4294967295,\"hops\":0}";

static const struct policy004 *policy_of(const struct call004 *call)
{
    return policy004_of(call->connection->service->env->config);
}

static void refuse(struct call004 *call, enum etsi004_outcome outcome)
{
    struct etsi004_key_answer answer;

    answer.outcome = outcome;
    answer.index = call->index;
    answer.key = NULL;
    answer.metadata_bytes =
        outcome == ETSI004_METADATA_TOO_SMALL ? (uint32_t)strlen(longest_metadata) : 0;
    call004_answer_key(call, &answer);
}

/* What the peer should have done did not happen. */
static void wait_for_peer(struct call004 *call, struct stream004 *stream, enum etsi004_outcome late)
{
    if (!call004_time_is_up(call))
        call004_wait(call, stream, INT64_MAX);
    else if (link_is_up(stream->streams->peer->link))
        refuse(call, late);
    else
        refuse(call, ETSI004_NO_QKD_CONNECTION);
}

static void wait_until(struct call004 *call, struct stream004 *stream, int64_t retry_ns)
{
    if (call004_time_is_up(call))
        refuse(call, ETSI004_TIMEOUT);
    else
        call004_wait(call, stream, retry_ns);
}

static uint32_t age_ms(const struct position *position)
{
    int64_t age = (monotonic_ns() - position->since_ns) / NS_PER_MS;

    return age > UINT32_MAX ? UINT32_MAX : (uint32_t)age;
}

static void put_metadata(const struct call004 *call, const struct stream004 *stream,
                         const struct position *position, struct etsi004_key_answer *answer)
{
    answer->metadata_bytes = 0;
    if (call->metadata_bytes > 0 && stream->qos.metadata_mimetype[0] != '\0')
        answer->metadata_bytes =
            (uint32_t)snprintf(answer->metadata, sizeof(answer->metadata),
                               "{\"age\":%" PRIu32 ",\"hops\":0}", age_ms(position));
}

/* Octets of the stream may leave at Max_bps; one chunk may go ahead. */
static void count_rate(struct stream004 *stream, int64_t now_ns)
{
    int64_t bits = (int64_t)stream->qos.key_chunk_size_bytes * 8;
    int64_t from_ns = stream->next_delivery_ns > now_ns ? stream->next_delivery_ns : now_ns;

    stream->next_delivery_ns = from_ns + bits * NS_PER_S / stream->qos.max_bps;
}

static void deliver(struct call004 *call, struct stream004 *stream, struct position *position)
{
    struct metrics *metrics = call->connection->service->env->metrics;
    struct etsi004_key_answer answer;
    bool keeps = policy_of(call)->repeats_positions;

    answer.outcome = ETSI004_SUCCESS;
    answer.index = call->index;
    put_metadata(call, stream, position, &answer);
    if (answer.metadata_bytes > call->metadata_bytes) {
        refuse(call, ETSI004_METADATA_TOO_SMALL);
        return;
    }
    answer.key = position->key;
    if (keeps)
        window004_deliver_and_keep(&stream->window, position);
    else
        window004_deliver(&stream->window, position);
    stream->delivered++;
    count_rate(stream, monotonic_ns());
    stream->streams->peer->counters.lost_bits[LOSS_DISPLACED] += stream->window.wiped_bits;
    stream->window.wiped_bits = 0;
    metrics_count_keys(metrics, API_004, stream->local,
                       stream->ours ? ROLE_INITIATOR : ROLE_RESPONDER, 1);
    call004_answer_key(call, &answer);
    if (!keeps)
        secret_free(answer.key);
}

/* The position is inside the window, and the stream is open at both ends, or need not be. */
static void look(struct call004 *call, struct stream004 *stream)
{
    int64_t now_ns = monotonic_ns(), ttl_ns = (int64_t)stream->qos.ttl_s * NS_PER_S;
    struct position *position;
    enum position_state state = window004_look(&stream->window, call->index, &position);

    if (state == POSITION_HELD && (now_ns - position->since_ns >= ttl_ns ||
                                   (position->delivered && !policy_of(call)->repeats_positions))) {
        window004_spend(&stream->window, call->index);
        state = POSITION_SPENT;
    }
    if (state != POSITION_SPENT && now_ns < stream->next_delivery_ns) {
        wait_until(call, stream, stream->next_delivery_ns);
        return;
    }
    if ((state == POSITION_FREE || state == POSITION_AWAITED) &&
        stream->state != STATE004_LOCAL_LEFT) {
        chunk004_request(stream->streams, stream, call->index);
        state = window004_look(&stream->window, call->index, &position);
    }
    if (state != POSITION_SPENT && stream->unrecorded)
        wait_until(call, stream, INT64_MAX);
    else if (state == POSITION_HELD)
        deliver(call, stream, position);
    else if (state == POSITION_SPENT || stream->state == STATE004_LOCAL_LEFT)
        refuse(call, ETSI004_INSUFFICIENT_KEY);
    else
        wait_for_peer(call, stream, ETSI004_TIMEOUT);
}

static void consider(struct call004 *call, struct stream004 *stream)
{
    bool alone = stream->ours && stream->generated && policy_of(call)->reads_alone;

    stream->used_ns = monotonic_ns();
    if (!window004_admits(&stream->window, call->index))
        refuse(call, ETSI004_INSUFFICIENT_KEY);
    else if (stream->state == STATE004_LOCAL_ONLY && !alone)
        wait_for_peer(call, stream, ETSI004_PEER_NOT_CONNECTED);
    else
        look(call, stream);
}

void get_key004_again(struct call004 *call)
{
    struct stream004 *stream = call->waiter.stream;

    if (stream != NULL)
        consider(call, stream);
    else
        refuse(call, call->waiter.verdict == ETSI004_NO_QKD_CONNECTION
                         ? ETSI004_NO_QKD_CONNECTION
                         : ETSI004_PEER_NOT_CONNECTED);
}

void get_key004(struct call004 *call)
{
    const char *caller = call004_caller(call);
    struct stream004 *stream = call004_stream(call, &call->id);

    /* A GET_KEY that was sent behind an OPEN_CONNECT which failed must not use the caller's own
     * stream: an SAE may be led to name it by a stranger who repeats its ID. */
    if (caller == NULL || stream == NULL || strcmp(stream->local, caller) != 0 ||
        !state004_is_open_here(stream->state) ||
        (stream->attachment != &call->connection->attachment &&
         key_id_equal(&call->id, &call->connection->refused))) {
        refuse(call, ETSI004_PEER_NOT_CONNECTED);
        return;
    }
    call004_set_timeout(call, stream->qos.timeout_ms);
    consider(call, stream);
}
