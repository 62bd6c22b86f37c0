/* SPDX-License-Identifier: Apache-2.0 */
/* S04 6 to 14 and 32: OPEN_CONNECT, its ID and its peer. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "ctl/check004.h"

enum { NEWS_MS = 300 /* that a stream exists reaches the other key server in that time */ };

/* The answer to one OPEN_CONNECT over a connection of its own. */
static bool ask(struct scene004 *scene, enum end004 end, const struct etsi004_open *open,
                struct reply004 *reply, struct status *status)
{
    struct line004 *line = line004_new(scene, end, status);

    return line != NULL && line004_open(line, open, reply, status);
}

static bool is_uuid4(const struct key_id *id, struct status *status)
{
    char text[KEY_ID_TEXT_CHARS + 1];

    key_id_format(id, text);
    return ((id->octets[6] & 0xf0) == 0x40 && (id->octets[8] & 0xc0) == 0x80) ||
           status_fail(status, OUTCOME_KME, "%s is not a version 4 UUID", text);
}

static bool fresh_id(struct scene004 *scene, struct status *status)
{
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;

    return ask(scene, END_INITIATOR, &open, &reply, status) &&
           expect_open(&reply, "OPEN_CONNECT without an ID", status) &&
           expect_at_once(&reply, SCENE_LONG_MS, "OPEN_CONNECT without an ID", status) &&
           is_uuid4(&reply.stream_id, status);
}

CHECK004(check004_fresh_id, fresh_id)

static bool distinct_ids(struct scene004 *scene, struct status *status)
{
    enum { IDS = 8 };
    struct key_id ids[IDS];

    for (size_t i = 0; i < IDS; i++) {
        enum end004 end = i % 2 == 0 ? END_INITIATOR : END_RESPONDER;
        struct etsi004_open open = scene004_wish(scene, end);
        struct reply004 reply;

        /* The responder is the source of what it opens first. */
        if (end == END_RESPONDER) {
            snprintf(open.source, sizeof(open.source), "%s", scene->cast->uris[1]);
            snprintf(open.destination, sizeof(open.destination), "%s", scene->cast->uris[0]);
        }
        if (!ask(scene, end, &open, &reply, status) ||
            !expect_open(&reply, "OPEN_CONNECT without an ID", status))
            return false;
        ids[i] = reply.stream_id;
        for (size_t j = 0; j < i; j++)
            if (key_id_equal(&ids[i], &ids[j]))
                return status_fail(status, OUTCOME_KME, "two streams have the same ID");
    }
    return true;
}

CHECK004(check004_distinct_ids, distinct_ids)

static bool is_about(const struct reply004 *reply, const struct key_id *id, const char *what,
                     struct status *status)
{
    return key_id_equal(&reply->stream_id, id) ||
           status_fail(status, OUTCOME_KME, "%s: the answer has another stream ID than the request",
                       what);
}

static bool predefined_id(struct scene004 *scene, struct status *status)
{
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;

    open.qos.timeout_ms = SCENE_SHORT_MS / 2;
    return new_stream_id(&open.stream_id, status) &&
           ask(scene, END_INITIATOR, &open, &reply, status) &&
           expect_open(&reply, "OPEN_CONNECT with an ID of ours", status) &&
           is_about(&reply, &open.stream_id, "OPEN_CONNECT with an ID of ours", status);
}

CHECK004(check004_predefined_id, predefined_id)

/* Names the field of QoS in which an answer differs from what the first caller was granted. */
static bool same_qos(const struct etsi004_qos *first, const struct etsi004_qos *second,
                     struct status *status)
{
    const struct {
        const char *name;
        uint32_t first, second;
    } fields[] = {
        {"Key_chunk_size", first->key_chunk_size_bytes, second->key_chunk_size_bytes},
        {"Max_bps", first->max_bps, second->max_bps},
        {"Min_bps", first->min_bps, second->min_bps},
        {"Jitter", first->jitter_bps, second->jitter_bps},
        {"Priority", first->priority, second->priority},
        {"Timeout", first->timeout_ms, second->timeout_ms},
        {"TTL", first->ttl_s, second->ttl_s},
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (fields[i].first != fields[i].second)
            return status_fail(status, OUTCOME_KME,
                               "%s: expected %u as the first caller has it, got %u", fields[i].name,
                               (unsigned)fields[i].first, (unsigned)fields[i].second);
    return strcmp(first->metadata_mimetype, second->metadata_mimetype) == 0 ||
           status_fail(status, OUTCOME_KME, "Metadata_mimetype is not as the first caller has it");
}

static bool second_gets_qos(struct scene004 *scene, struct status *status)
{
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct etsi004_qos granted;
    struct reply004 reply;

    open.qos.max_bps = 80000;
    open.qos.ttl_s = 77;
    open.qos.timeout_ms = 4000;
    if (!ask(scene, END_INITIATOR, &open, &reply, status) ||
        !expect_open(&reply, "OPEN_CONNECT of the first", status))
        return false;
    granted = reply.qos;
    open = scene004_wish(scene, END_RESPONDER);
    open.stream_id = reply.stream_id;
    open.qos.max_bps = 40000;
    open.qos.ttl_s = 55;
    open.qos.timeout_ms = 3000;
    return ask(scene, END_RESPONDER, &open, &reply, status) &&
           expect_outcome(&reply, ETSI004_SUCCESS, "OPEN_CONNECT of the second", status) &&
           is_about(&reply, &open.stream_id, "OPEN_CONNECT of the second", status) &&
           same_qos(&granted, &reply.qos, status);
}

CHECK004(check004_second_gets_qos, second_gets_qos)

static bool third_open(struct scene004 *scene, struct status *status)
{
    struct etsi004_open open = scene004_wish(scene, END_RESPONDER);
    struct reply004 reply;
    struct pair004 pair;

    if (scene004_profile(scene) == ETSI004_W2)
        return scene004_skip(scene, "in W2 no connection of the first opening lives on, and the "
                                    "same caller may come back");
    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    open.stream_id = pair.id;
    return ask(scene, END_RESPONDER, &open, &reply, status) &&
           expect_outcome(&reply, ETSI004_IN_USE, "OPEN_CONNECT of a stream that both have opened",
                          status);
}

CHECK004(check004_third_open, third_open)

/* A certificate that the key server knows nothing of may be refused in any way. */
static bool is_kept_out(struct scene004 *scene, const struct etsi004_open *open,
                        struct status *status)
{
    struct status failure = STATUS_INIT;
    struct reply004 reply;

    if (scene->cast->stranger_is_an_sae)
        return ask(scene, END_STRANGER, open, &reply, status) &&
               expect_outcome(&reply, ETSI004_IN_USE, "OPEN_CONNECT of a third party", status);
    return !ask(scene, END_STRANGER, open, &reply, &failure) ||
           expect_one_of(&reply, EITHER(ETSI004_IN_USE, ETSI004_NO_QKD_CONNECTION),
                         "OPEN_CONNECT of a third party", status);
}

static bool stranger_open(struct scene004 *scene, struct status *status)
{
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;

    if (scene->cast->endpoints[END_STRANGER] == NULL)
        return scene004_skip(scene, "nobody can play the third party");
    if (!ask(scene, END_INITIATOR, &open, &reply, status) ||
        !expect_open(&reply, "OPEN_CONNECT of the initiator", status))
        return false;
    poll(NULL, 0, NEWS_MS);
    open = scene004_wish(scene, END_RESPONDER);
    open.stream_id = reply.stream_id;
    return is_kept_out(scene, &open, status) && ask(scene, END_RESPONDER, &open, &reply, status) &&
           expect_outcome(&reply, ETSI004_SUCCESS, "OPEN_CONNECT of the peer behind it", status);
}

CHECK004(check004_stranger_open, stranger_open)

static bool uri_order(struct scene004 *scene, struct status *status)
{
    if (scene004_is_qubip(scene))
        scene004_note(scene, "qubip: in the order of the first caller");
    for (int swapped = 0; swapped < (scene004_is_qubip(scene) ? 1 : 2); swapped++) {
        struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
        struct reply004 reply;

        if (!ask(scene, END_INITIATOR, &open, &reply, status) ||
            !expect_open(&reply, "OPEN_CONNECT of the first", status))
            return false;
        open.stream_id = reply.stream_id;
        snprintf(open.source, sizeof(open.source), "%s", scene->cast->uris[swapped]);
        snprintf(open.destination, sizeof(open.destination), "%s", scene->cast->uris[1 - swapped]);
        if (!ask(scene, END_RESPONDER, &open, &reply, status) ||
            !expect_outcome(&reply, ETSI004_SUCCESS,
                            swapped ? "the peer, with source and destination swapped"
                                    : "the peer, with source and destination as the first had them",
                            status))
            return false;
    }
    return true;
}

CHECK004(check004_uri_order, uri_order)

static bool other_uris(struct scene004 *scene, struct status *status)
{
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;
    struct key_id id;

    if (!ask(scene, END_INITIATOR, &open, &reply, status) ||
        !expect_open(&reply, "OPEN_CONNECT of the first", status))
        return false;
    id = reply.stream_id;
    poll(NULL, 0, NEWS_MS);
    open = scene004_wish(scene, END_RESPONDER);
    open.stream_id = id;
    snprintf(open.source, sizeof(open.source), "check://nobody.invalid");
    snprintf(open.destination, sizeof(open.destination), "check://elsewhere.invalid");
    if (!ask(scene, END_RESPONDER, &open, &reply, status) ||
        !expect_one_of(&reply, EITHER(ETSI004_IN_USE, ETSI004_NO_QKD_CONNECTION),
                       "OPEN_CONNECT with other URIs", status))
        return false;
    open = scene004_wish(scene, END_RESPONDER);
    open.stream_id = id;
    return ask(scene, END_RESPONDER, &open, &reply, status) &&
           expect_outcome(&reply, ETSI004_SUCCESS, "the peer behind them", status);
}

CHECK004(check004_other_uris, other_uris)

static bool waits_for_peer(struct scene004 *scene, struct status *status)
{
    static const char what[] = "OPEN_CONNECT with an ID, without a peer";
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;

    open.qos.timeout_ms = SCENE_SHORT_MS;
    if (!new_stream_id(&open.stream_id, status) ||
        !ask(scene, END_INITIATOR, &open, &reply, status))
        return false;
    if (scene004_is_qubip(scene)) {
        scene004_note(scene, "qubip: status 0 at once");
        return expect_outcome(&reply, ETSI004_SUCCESS, what, status) &&
               expect_at_once(&reply, SCENE_SHORT_MS, what, status);
    }
    return expect_outcome(&reply, ETSI004_PEER_NOT_YET_CONNECTED, what, status) &&
           is_about(&reply, &open.stream_id, what, status) &&
           expect_at_timeout(&reply, SCENE_SHORT_MS, what, status);
}

CHECK004(check004_waits_for_peer, waits_for_peer)

static bool peer_comes(struct scene004 *scene, struct status *status)
{
    struct line004 *waiting = line004_new(scene, END_INITIATOR, status);
    struct etsi004_open first = scene004_wish(scene, END_INITIATOR);
    struct etsi004_open second = scene004_wish(scene, END_RESPONDER);
    struct reply004 one, other;

    if (waiting == NULL || !new_stream_id(&first.stream_id, status))
        return false;
    second.stream_id = first.stream_id;
    return line004_send_open(waiting, &first, status) &&
           ask(scene, END_RESPONDER, &second, &other, status) &&
           line004_read(waiting, ETSI004_OPEN_CONNECT, &one, status) &&
           expect_outcome(&one, ETSI004_SUCCESS, "the end that waited", status) &&
           expect_outcome(&other, ETSI004_SUCCESS, "the end that came", status) &&
           same_qos(&one.qos, &other.qos, status);
}

CHECK004(check004_peer_comes, peer_comes)

static bool either_order(struct scene004 *scene, struct status *status)
{
    static const enum end004 ends[] = {END_INITIATOR, END_RESPONDER};

    if (scene004_is_qubip(scene))
        scene004_note(scene, "qubip: 0 at both without a second call");
    for (size_t i = 0; i < 2; i++) {
        struct line004 *line = line004_new(scene, ends[i], status);
        struct etsi004_open first = scene004_wish(scene, ends[i]);
        struct etsi004_open second = scene004_wish(scene, ends[1 - i]);
        struct reply004 reply;

        if (line == NULL || !new_stream_id(&first.stream_id, status))
            return false;
        second.stream_id = first.stream_id;
        first.qos.timeout_ms = SCENE_SHORT_MS / 2;
        if (!line004_open(line, &first, &reply, status) ||
            !expect_open(&reply, "the first", status) ||
            !ask(scene, ends[1 - i], &second, &reply, status) ||
            !expect_outcome(&reply, ETSI004_SUCCESS, "the second", status))
            return false;
        if (!scene004_is_qubip(scene) &&
            (!line004_open(line, &first, &reply, status) ||
             !expect_outcome(&reply, ETSI004_SUCCESS, "the first, asking again", status)))
            return false;
    }
    return true;
}

CHECK004(check004_either_order, either_order)

static bool bad_uris(struct scene004 *scene, struct status *status)
{
    static const char *const bad[] = {"alice", "sae:bob", "//bob", "sae:///bob"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
        struct reply004 reply;

        snprintf(open.destination, sizeof(open.destination), "%s", bad[i]);
        if (!ask(scene, END_INITIATOR, &open, &reply, status) ||
            !expect_outcome(&reply, ETSI004_NO_QKD_CONNECTION, "OPEN_CONNECT", status))
            return status_prefix(status, "destination '%s'", bad[i]);
    }
    return true;
}

CHECK004(check004_bad_uris, bad_uris)

static bool burnt_id(struct scene004 *scene, struct status *status)
{
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    for (int end = END_INITIATOR; end <= END_RESPONDER; end++)
        if (!line004_close(pair.lines[end], &pair.id, &reply, status) ||
            !expect_outcome(&reply, ETSI004_SUCCESS, "CLOSE", status))
            return false;
    poll(NULL, 0, NEWS_MS);
    open.stream_id = pair.id;
    open.qos.timeout_ms = SCENE_SHORT_MS / 2;
    if (!ask(scene, END_INITIATOR, &open, &reply, status))
        return false;
    if (scene004_is_qubip(scene)) {
        scene004_note(scene, "qubip: a closed ID can be opened again");
        return expect_one_of(&reply, EITHER(ETSI004_SUCCESS, ETSI004_IN_USE),
                             "OPEN_CONNECT of a closed ID", status);
    }
    return expect_outcome(&reply, ETSI004_IN_USE, "OPEN_CONNECT of a closed ID", status);
}

CHECK004(check004_burnt_id, burnt_id)
