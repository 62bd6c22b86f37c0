/* SPDX-License-Identifier: Apache-2.0 */
/* OPEN_CONNECT (ETSI GS QKD 004 clause 6.2). */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "kme/call004.h"
#include "kme/config.h"
#include "kme/qos004.h"
#include "kme/uri004.h"

enum { FRAMES_OF_AN_OPENING = 2 };

static const struct policy004 *policy_of(const struct call004 *call)
{
    return policy004_of(call->connection->service->env->config);
}

static void answer(struct call004 *call, enum etsi004_outcome outcome,
                   const struct stream004 *stream)
{
    struct etsi004_open_answer answer = {.outcome = outcome};

    if (stream != NULL) {
        answer.qos = stream->qos;
        answer.stream_id = stream->id;
        memset(&call->connection->refused, 0, sizeof(call->connection->refused));
    }
    call004_answer_open(call, &answer);
}

static void refuse(struct call004 *call, enum etsi004_outcome outcome, const char *why)
{
    log_line(call->connection->service->env->log, LOG_LEVEL_DEBUG,
             "OPEN_CONNECT of '%s' is refused: %s", identity_text(call->connection->identity), why);
    call->connection->refused = call->id;
    answer(call, outcome, NULL);
}

/* The stream is open here: answers as soon as the peer is there, or need not be. */
static void settle(struct call004 *call, struct stream004 *stream, bool may_wait)
{
    bool peer_is_there = state004_peer_has_opened(stream->state);

    if (peer_is_there || policy_of(call)->opens_at_once) {
        stream->told = true;
        answer(call, ETSI004_SUCCESS, stream);
    } else if (!may_wait || call004_time_is_up(call)) {
        answer(call, ETSI004_PEER_NOT_YET_CONNECTED, stream);
    } else {
        call004_wait(call, stream, INT64_MAX);
    }
}

void open004_again(struct call004 *call)
{
    struct stream004 *stream = call->waiter.stream;

    if (stream != NULL)
        settle(call, stream, true);
    else if (call->waiter.verdict == ETSI004_IN_USE)
        refuse(call, ETSI004_IN_USE, "the ID is in use at the other key server");
    else
        refuse(call, ETSI004_NO_QKD_CONNECTION, "the stream ended before the peer opened it");
}

/* The stream is there already: opened first by the peer, or by this SAE before. */
static void join(struct call004 *call, const struct etsi004_open *open, const char *caller,
                 struct stream004 *stream)
{
    struct streams004 *streams = stream->streams;
    struct attachment004 *attachment = &call->connection->attachment;

    if (strcmp(stream->local, caller) != 0) {
        refuse(call, ETSI004_IN_USE, "the stream is of others");
    } else if (!uri004_same_pair(stream->source, stream->destination, open->source,
                                 open->destination)) {
        refuse(call, ETSI004_IN_USE, "the stream has other URIs");
    } else if (stream->state == STATE004_PEER_ONLY) {
        stream004_attach(stream, attachment);
        stream004_tell_joined(streams, stream);
        stream004_move(streams, stream, EVENT004_LOCAL_OPENED, ETSI004_SUCCESS);
        settle(call, stream, false);
    } else if (!state004_is_open_here(stream->state)) {
        refuse(call, ETSI004_IN_USE, "the caller has closed the stream");
    } else if (stream->attachment != NULL && (stream->told || stream->attachment != attachment)) {
        refuse(call, ETSI004_IN_USE, "the stream is open over another connection");
    } else {
        stream004_attach(stream, attachment);
        settle(call, stream, true);
    }
}

/* Who the two are. An SAE that brings the ID may be the second to open it, and then names itself
 * as the first one did: in either place. */
static const char *find_peer(const struct kme_config *config, const struct etsi004_open *open,
                             const char *caller)
{
    const char *peer = NULL;

    if (uri004_may_be(open->source, caller))
        peer = uri004_peer_sae(config, open->destination);
    if (peer == NULL && !key_id_is_zero(&open->stream_id) &&
        uri004_may_be(open->destination, caller))
        peer = uri004_peer_sae(config, open->source);
    return peer;
}

/* NULL when out of memory or random numbers, or when the shelf refuses. */
static struct stream004 *start(struct streams004 *streams, const struct etsi004_open *open,
                               const char *caller, const char *peer, const struct etsi004_qos *qos)
{
    struct frame frame;
    struct stream_opening *opening = &frame.u.stream.u.open;
    struct key_id *id = &frame.u.stream.stream_id;
    struct record004 *record = &streams->catalogue->record;
    struct recorded_id recorded;
    struct stream004 *stream;

    frame.type = FRAME_STREAM_OPEN;
    *id = open->stream_id;
    opening->generated = key_id_is_zero(id);
    opening->qos = *qos;
    strcpy(opening->initiator, caller);
    strcpy(opening->responder, peer);
    strcpy(opening->source, open->source);
    strcpy(opening->destination, open->destination);
    if (opening->generated ? !record004_make(record, streams->env, &recorded)
                           : !record004_put(record, id, &recorded.ticket))
        return NULL;
    if (opening->generated)
        *id = recorded.id;
    frame.u.stream.opening = streams004_next_opening(streams);
    stream = stream004_new(streams, &frame.u.stream, true);
    if (stream == NULL)
        return NULL;
    stream004_record(stream, recorded.ticket);
    if (!link_send_stream(streams->peer->link, &frame, 0)) {
        stream004_move(streams, stream, EVENT004_FORGOTTEN, ETSI004_NO_QKD_CONNECTION);
        return NULL;
    }
    /* So that the peer need not ask for it, nor anybody wait when it reads. */
    if (opening->generated)
        chunk004_request(streams, stream, 0);
    return stream;
}

static void open_first(struct call004 *call, const struct etsi004_open *open, const char *caller)
{
    struct peers *peers = call->connection->service->peers;
    const struct kme_config *config = peers->env->config;
    const char *sae = find_peer(config, open, caller);
    struct peer *peer = sae != NULL ? peers_of_sae(peers, sae) : NULL;
    struct streams004 *streams = peer != NULL ? peer->streams : NULL;
    struct etsi004_open_answer proposal = {.outcome = ETSI004_QOS_NOT_MET};
    struct stream004 *stream;
    bool met;

    if (peer == NULL) {
        refuse(call, ETSI004_NO_QKD_CONNECTION,
               "the URIs name no SAE behind the peer key server, "
               "or a caller that it is not");
        return;
    }
    if (!link_has_room(peer->link, FRAMES_OF_AN_OPENING) ||
        !catalogue004_has_room(&peers->catalogue, config, caller)) {
        refuse(call, ETSI004_NO_QKD_CONNECTION,
               link_is_up(peer->link) ? "too many streams are open"
                                      : "no link to the peer key server");
        return;
    }
    met = qos004_grant(config, &open->qos,
                       peer_config(peers->env, peer)->simulated_rate_bps - streams->min_bps,
                       &proposal.qos);
    if (!met && !policy_of(call)->opens_with_proposal) {
        call004_answer_open(call, &proposal);
        return;
    }
    stream = start(streams, open, caller, sae, &proposal.qos);
    if (stream == NULL) {
        refuse(call, ETSI004_NO_QKD_CONNECTION, "out of memory, or the store refuses");
        return;
    }
    stream004_attach(stream, &call->connection->attachment);
    if (met) {
        settle(call, stream, !stream->generated);
    } else {
        stream->told = true;
        answer(call, ETSI004_QOS_NOT_MET, stream);
    }
}

void open004(struct call004 *call, const struct etsi004_open *open)
{
    const struct peers *peers = call->connection->service->peers;
    const struct policy004 *policy = policy_of(call);
    const struct kme_config *config = peers->env->config;
    const char *caller = call004_caller(call);
    bool given = !key_id_is_zero(&open->stream_id);
    struct stream004 *stream = given ? call004_stream(call, &open->stream_id) : NULL;
    uint32_t timeout_ms = open->qos.timeout_ms;

    if (timeout_ms == 0 || timeout_ms > config->limits.max_timeout_ms)
        timeout_ms = (uint32_t)(timeout_ms == 0 ? config->limits.default_timeout_ms
                                                : config->limits.max_timeout_ms);
    call004_set_timeout(call, timeout_ms);
    if (open->qos.timeout_ms == 0 && policy->timeout_0_is_now)
        answer(call, ETSI004_TIMEOUT, NULL);
    else if (caller == NULL)
        refuse(call, ETSI004_NO_QKD_CONNECTION, "its certificate is not that of an SAE here");
    else if (!uri004_is_good(open->source) || !uri004_is_good(open->destination))
        refuse(call, ETSI004_NO_QKD_CONNECTION, "a URI lacks its scheme or its authority");
    else if (stream != NULL)
        join(call, open, caller, stream);
    else if (given && burnt004_has(&peers->catalogue.burnt, &open->stream_id) && !policy->reopens)
        refuse(call, ETSI004_IN_USE, "the ID was used before");
    else
        open_first(call, open, caller);
}
