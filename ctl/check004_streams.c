/* SPDX-License-Identifier: Apache-2.0 */
/* S04 29 to 34: CLOSE, lost connections, identities. */
#include <poll.h>

#include "ctl/check004.h"
#include "ctl/check_cert.h"
#include "ctl/check_tls.h"

enum { NEWS_MS = 300, PAUSE_MS = 50 };

static bool close_at(struct line004 *line, const struct key_id *id, struct status *status)
{
    struct reply004 reply;

    return line004_close(line, id, &reply, status) &&
           expect_outcome(&reply, ETSI004_SUCCESS, "CLOSE", status);
}

static bool key_at(struct line004 *line, const struct key_id *id, uint32_t index,
                   struct reply004 *reply, struct status *status)
{
    return line004_get_key(line, id, index, reply, status) &&
           expect_key(reply, end004_text(line004_end(line)), status);
}

static bool closing(struct scene004 *scene, struct status *status)
{
    struct reply004 reply;
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    for (int end = END_INITIATOR; end <= END_RESPONDER; end++)
        if (!close_at(pair.lines[end], &pair.id, status) ||
            !line004_close(pair.lines[end], &pair.id, &reply, status) ||
            !expect_outcome(&reply, ETSI004_PEER_NOT_CONNECTED, "CLOSE a second time", status) ||
            !expect_no_key(pair.lines[end], &pair.id, 0, 1u << ETSI004_PEER_NOT_CONNECTED,
                           "GET_KEY after CLOSE", status))
            return false;
    return true;
}

CHECK004(check004_close, closing)

static bool peer_left(struct scene004 *scene, struct status *status)
{
    enum { READ = 3 };
    const unsigned none = 1u << ETSI004_INSUFFICIENT_KEY;
    struct reply004 first[READ], second;
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    for (uint32_t index = 0; index < READ; index++)
        if (!key_at(pair.lines[END_INITIATOR], &pair.id, index, &first[index], status))
            return false;
    if (!close_at(pair.lines[END_INITIATOR], &pair.id, status))
        return false;
    poll(NULL, 0, NEWS_MS);
    for (uint32_t index = 0; index < READ; index++)
        if (!key_at(pair.lines[END_RESPONDER], &pair.id, index, &second, status) ||
            !expect_same_key(&first[index], &second, "after the peer's CLOSE", status))
            return false;
    if (scene004_is_qubip(scene))
        scene004_note(scene, "qubip: nothing is told to the other key server, new keys may come");
    return expect_no_key(pair.lines[END_RESPONDER], &pair.id, READ,
                         none | (scene004_is_qubip(scene) ? 1u << ETSI004_SUCCESS : 0),
                         "a new index after the peer's CLOSE", status) &&
           close_at(pair.lines[END_RESPONDER], &pair.id, status) &&
           expect_no_key(pair.lines[END_RESPONDER], &pair.id, 0, 1u << ETSI004_PEER_NOT_CONNECTED,
                         "GET_KEY when both have closed", status);
}

CHECK004(check004_peer_left, peer_left)

/* A stream that is there still gets another TTL: being asked may count as use. */
static bool is_gone(struct scene004 *scene, enum end004 end, const struct key_id *id,
                    struct status *status)
{
    enum { ROUNDS = 3, LATER_MS = 3000 };
    struct reply004 reply;

    for (int round = 0;; round++) {
        struct line004 *line = line004_new(scene, end, status);

        if (line == NULL || !line004_get_key(line, id, 0, &reply, status))
            return false;
        line004_drop(line);
        if (reply.outcome == ETSI004_PEER_NOT_CONNECTED || round == ROUNDS)
            return expect_outcome(&reply, ETSI004_PEER_NOT_CONNECTED,
                                  "a stream that all have left for its TTL", status);
        poll(NULL, 0, LATER_MS);
    }
}

static bool abandoned(struct scene004 *scene, struct status *status)
{
    enum { TTL_S = 1, LATER_MS = 2500 };
    struct pair004 pair;

    if (!scene004_pair_of_ttl(scene, TTL_S, &pair, status) || scene004_skipped(scene))
        return scene004_skipped(scene);
    for (int end = END_INITIATOR; end <= END_RESPONDER; end++)
        line004_drop(pair.lines[end]);
    poll(NULL, 0, LATER_MS);
    return is_gone(scene, END_INITIATOR, &pair.id, status) &&
           is_gone(scene, END_RESPONDER, &pair.id, status);
}

CHECK004(check004_abandoned, abandoned)

/* The key server may see a little later that the connection is gone. */
static bool comes_back(struct line004 *line, const struct etsi004_open *open, struct status *status)
{
    struct deadline deadline = deadline_in_ms(SCENE_PATIENCE_MS / 2);
    struct reply004 reply;

    for (;;) {
        if (!line004_open(line, open, &reply, status))
            return false;
        if (reply.outcome != ETSI004_IN_USE || deadline_passed(&deadline))
            return expect_outcome(&reply, ETSI004_SUCCESS,
                                  "OPEN_CONNECT by the owner over another connection", status);
        poll(NULL, 0, PAUSE_MS);
    }
}

static bool lost_connection(struct scene004 *scene, struct status *status)
{
    struct line004 *lines[2];
    struct reply004 keys[2];
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    for (int end = END_INITIATOR; end <= END_RESPONDER; end++)
        line004_drop(pair.lines[end]);
    for (int end = END_INITIATOR; end <= END_RESPONDER; end++) {
        struct etsi004_open open = scene004_wish(scene, (enum end004)end);

        open.stream_id = pair.id;
        lines[end] = line004_new(scene, (enum end004)end, status);
        if (lines[end] == NULL || !comes_back(lines[end], &open, status) ||
            !key_at(lines[end], &pair.id, 0, &keys[end], status))
            return false;
    }
    return expect_same_key(&keys[0], &keys[1], "after the connections were lost", status);
}

CHECK004(check004_lost_connection, lost_connection)

/* Whether that client is refused in TLS, or by the end of its connection. */
static bool is_refused(struct scene004 *scene, const struct identity014 *identity, const char *what,
                       struct status *status)
{
    struct deadline deadline = deadline_in_ms(scene->cast->patience_ms);
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct status failure = STATUS_INIT;
    struct tls_outcome outcome;
    struct tls_try attempt = {
        .address = endpoint_address(scene->cast->endpoints[END_INITIATOR]),
        .cert = identity->cert,
        .key = identity->key,
    };
    struct buf request;

    buf_init(&request, ETSI004_PAYLOAD_MAX_BYTES);
    etsi004_open_put(&request, scene004_profile(scene), &open);
    attempt.request = request.data;
    attempt.request_bytes = request.length;
    tls_try(&attempt, &deadline, &outcome, &failure);
    buf_free(&request);
    switch (outcome.verdict) {
    case TLS_REFUSED:
        return true;
    case TLS_ANSWERED:
        return status_fail(status, OUTCOME_KME,
                           "%s: expected a refusal, got an answer to OPEN_CONNECT", what);
    case TLS_UNCLEAR:
        break;
    }
    return status_fail(status, OUTCOME_KME, "%s: expected a refusal: %s", what, failure.text);
}

static bool certificate(struct scene004 *scene, struct status *status)
{
    enum { AN_HOUR_S = 3600 };
    const struct cert_wish wish = {.names = {scene->cast->sae},
                                   .purpose = "clientAuth",
                                   .from_s = -AN_HOUR_S,
                                   .until_s = AN_HOUR_S};
    struct identity014 none = {NULL, NULL}, own;
    bool ok;

    if (!is_refused(scene, &none, "no certificate", status) ||
        !identity014_make(&wish, &own, status))
        return false;
    ok = is_refused(scene, &own, "a certificate that nobody has signed", status);
    identity014_free(&own);
    return ok;
}

CHECK004(check004_certificate, certificate)

/* A certificate that is known nowhere may be refused by ending its connection, too. */
static bool gets_nothing(struct scene004 *scene, const struct key_id *id, struct status *status)
{
    struct status failure = STATUS_INIT;
    struct line004 *line = line004_new(scene, END_STRANGER, &failure);
    struct reply004 got, closed;

    if (line == NULL || !line004_get_key(line, id, 0, &got, &failure) ||
        !line004_close(line, id, &closed, &failure))
        return !scene->cast->stranger_is_an_sae ||
               status_fail(status, failure.outcome, "%s", failure.text);
    return expect_outcome(&got, ETSI004_PEER_NOT_CONNECTED, "GET_KEY of another's stream",
                          status) &&
           expect_outcome(&closed, ETSI004_PEER_NOT_CONNECTED, "CLOSE of another's stream", status);
}

static bool other_identity(struct scene004 *scene, struct status *status)
{
    struct reply004 one, other;
    struct pair004 pair;

    if (scene->cast->endpoints[END_STRANGER] == NULL)
        return scene004_skip(scene, "nobody can play the third party");
    return scene004_pair(scene, NULL, &pair, status) && gets_nothing(scene, &pair.id, status) &&
           key_at(pair.lines[END_INITIATOR], &pair.id, 0, &one, status) &&
           key_at(pair.lines[END_RESPONDER], &pair.id, 0, &other, status);
}

CHECK004(check004_other_identity, other_identity)
