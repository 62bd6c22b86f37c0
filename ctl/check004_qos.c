/* SPDX-License-Identifier: Apache-2.0 */
/* S04 15 to 19: OPEN_CONNECT, what is granted. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ctl/check004.h"

static const char json[] = "application/json";

static bool ask(struct scene004 *scene, const struct etsi004_qos *qos, struct reply004 *reply,
                struct status *status)
{
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);

    open.qos = *qos;
    return line != NULL && line004_open(line, &open, reply, status);
}

/* All fields left to the key server; a server of the field gives up at once at Timeout 0. */
static struct etsi004_qos no_wishes(const struct scene004 *scene)
{
    struct etsi004_qos qos = {0};

    if (scene004_is_qubip(scene)) {
        qos.timeout_ms = SCENE_SHORT_MS;
        snprintf(qos.metadata_mimetype, sizeof(qos.metadata_mimetype), "%s", json);
    }
    return qos;
}

static bool null_qos(struct scene004 *scene, struct status *status)
{
    struct etsi004_qos qos = no_wishes(scene);
    struct reply004 reply;

    if (!ask(scene, &qos, &reply, status) ||
        !expect_open(&reply, "OPEN_CONNECT with a QoS of zeros", status))
        return false;
    if (scene004_is_qubip(scene))
        scene004_note(scene, "qubip: but for Timeout and the media type");
    return (reply.qos.key_chunk_size_bytes > 0 && reply.qos.max_bps > 0 &&
            reply.qos.timeout_ms > 0 && reply.qos.ttl_s > 0) ||
           status_fail(status, OUTCOME_KME,
                       "expected values of the key server's choice, got Key_chunk_size %u, Max_bps "
                       "%u, Timeout %u, TTL %u",
                       (unsigned)reply.qos.key_chunk_size_bytes, (unsigned)reply.qos.max_bps,
                       (unsigned)reply.qos.timeout_ms, (unsigned)reply.qos.ttl_s);
}

CHECK004(check004_null_qos, null_qos)

/* Whether status 7 left a stream behind or not, as the dialect has it. */
static bool is_counter_proposal(const struct scene004 *scene, const struct reply004 *reply,
                                const char *what, struct status *status)
{
    bool opened = !key_id_is_zero(&reply->stream_id);

    if (!expect_outcome(reply, ETSI004_QOS_NOT_MET, what, status))
        return false;
    return opened == scene004_is_qubip(scene) ||
           status_fail(status, OUTCOME_KME, "%s: %s", what,
                       opened ? "expected the ID of zeros beside the refusal, got a stream"
                              : "qubip: expected a stream with the proposal, got the ID of zeros");
}

static bool media_type(struct scene004 *scene, struct status *status)
{
    struct etsi004_qos qos = scene004_wish(scene, END_INITIATOR).qos;
    struct reply004 reply;

    snprintf(qos.metadata_mimetype, sizeof(qos.metadata_mimetype), "text/x-unheard-of");
    if (scene004_is_qubip(scene))
        scene004_note(scene, "qubip: the stream is opened with the proposal");
    return ask(scene, &qos, &reply, status) &&
           is_counter_proposal(scene, &reply, "an unheard-of media type", status) &&
           (strcasecmp(reply.qos.metadata_mimetype, json) == 0 ||
            status_fail(status, OUTCOME_KME, "expected the proposal %s, got another media type",
                        json));
}

CHECK004(check004_media_type, media_type)

static bool json_is_taken(struct scene004 *scene, struct status *status)
{
    struct etsi004_qos qos = scene004_wish(scene, END_INITIATOR).qos;
    struct reply004 reply;

    return ask(scene, &qos, &reply, status) &&
           expect_open(&reply, "OPEN_CONNECT with application/json", status) &&
           (strcasecmp(reply.qos.metadata_mimetype, json) == 0 ||
            status_fail(status, OUTCOME_KME, "expected %s to be granted, got another media type",
                        json));
}

CHECK004(check004_json, json_is_taken)

static bool no_metadata(struct scene004 *scene, struct status *status)
{
    struct etsi004_qos qos = scene004_wish(scene, END_INITIATOR).qos;
    struct reply004 reply;
    struct pair004 pair;

    qos.metadata_mimetype[0] = '\0';
    if (scene004_is_qubip(scene))
        return scene004_skip(scene, "qubip: its servers put application/json in its place");
    return scene004_pair(scene, &qos, &pair, status) &&
           line004_get_key(pair.lines[END_INITIATOR], &pair.id, 0, &reply, status) &&
           expect_key(&reply, "GET_KEY with room for metadata", status) &&
           (reply.metadata_bytes == 0 ||
            status_fail(status, OUTCOME_KME,
                        "expected no metadata on a stream without a media type, got %u octets",
                        (unsigned)reply.metadata_bytes));
}

CHECK004(check004_no_metadata, no_metadata)

/* Asks for what cannot be had, and then for what was offered instead. */
static bool is_met_halfway(struct scene004 *scene, const struct etsi004_qos *qos, const char *what,
                           struct status *status)
{
    struct etsi004_qos offered;
    struct reply004 reply;

    if (!ask(scene, qos, &reply, status) || !is_counter_proposal(scene, &reply, what, status))
        return false;
    offered = reply.qos;
    return ask(scene, &offered, &reply, status) &&
           expect_open(&reply, "the counter-proposal, sent back", status);
}

static bool counter_proposal(struct scene004 *scene, struct status *status)
{
    struct etsi004_qos chunk = scene004_wish(scene, END_INITIATOR).qos, rate = chunk;

    chunk.key_chunk_size_bytes = UINT32_MAX;
    rate.min_bps = UINT32_MAX;
    if (scene004_is_qubip(scene)) {
        scene004_note(scene, "qubip: the stream is opened with the proposal; Min_bps is not met "
                             "when it is too small there, and not looked at");
        return is_met_halfway(scene, &chunk, "chunks of 4 GiB", status);
    }
    return is_met_halfway(scene, &chunk, "chunks of 4 GiB", status) &&
           is_met_halfway(scene, &rate, "Min_bps of 4 Gbit/s", status);
}

CHECK004(check004_counter_proposal, counter_proposal)

static bool timeout_zero(struct scene004 *scene, struct status *status)
{
    struct etsi004_qos qos = scene004_wish(scene, END_INITIATOR).qos;
    struct reply004 reply;

    qos.timeout_ms = 0;
    if (!ask(scene, &qos, &reply, status))
        return false;
    if (scene004_is_qubip(scene)) {
        scene004_note(scene, "qubip: status 6 at once");
        return expect_outcome(&reply, ETSI004_TIMEOUT, "OPEN_CONNECT with Timeout 0", status);
    }
    return expect_open(&reply, "OPEN_CONNECT with Timeout 0", status) &&
           (reply.qos.timeout_ms > 0 ||
            status_fail(status, OUTCOME_KME,
                        "expected a Timeout of the key server's choice, got "
                        "0"));
}

CHECK004(check004_timeout_zero, timeout_zero)
