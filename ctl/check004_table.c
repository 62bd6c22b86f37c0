/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "ctl/check004.h"

#define REQ CHECK_REQUIRED
#define REC CHECK_RECOMMENDED

/* The numbers are those of the list of server checks; letters part what fails by itself. */
static const struct check rows[] = {
    {"S04.01", "answers have the request's profile, version and service type + 1", "wire", REC, 0,
     check004_profile_and_version, NULL},
    {"S04.02", "a request may come in pieces, and several at once", "wire", REC, 0, check004_pieces,
     NULL},
    {"S04.03", "a payload length of gigabytes ends the connection", "wire", REC, 0,
     check004_too_large, NULL},
    {"S04.04a", "an unknown service type ends the connection", "wire", REC, 0,
     check004_unknown_service, NULL},
    {"S04.04b", "service type 0xFF does not stop the key server", "wire", REC, CHECK_NEEDS_HEAVY,
     check004_stop_service, NULL},
    {"S04.05", "a malformed request is refused, or ends its connection, at once", "wire", REC, 0,
     check004_malformed, NULL},
    {"S04.06", "OPEN_CONNECT without an ID returns a fresh version 4 UUID at once", "6.2.2", REQ, 0,
     check004_fresh_id, NULL},
    {"S04.07", "OPEN_CONNECT without an ID never gives the same ID twice", "6.1", REQ, 0,
     check004_distinct_ids, NULL},
    {"S04.08", "OPEN_CONNECT with an ID of the caller's returns that ID", "6.1", REQ, 0,
     check004_predefined_id, NULL},
    {"S04.09", "the second to open gets status 0 and the first caller's QoS", "6.1", REQ, 0,
     check004_second_gets_qos, NULL},
    {"S04.10a", "a stream that both have opened is in use: 5", "6.1", REQ, 0, check004_third_open,
     NULL},
    {"S04.10b", "a third party cannot open the stream of a pair", "6.1", REQ, 0,
     check004_stranger_open, NULL},
    {"S04.11a", "the peer may name source and destination in either order", "6.1", REC, 0,
     check004_uri_order, NULL},
    {"S04.11b", "unrelated URIs do not open an existing stream", "6.1", REC, 0, check004_other_uris,
     NULL},
    {"S04.12a", "OPEN_CONNECT with an ID waits for the peer, then 1", "6.1", REC, 0,
     check004_waits_for_peer, NULL},
    {"S04.12b", "OPEN_CONNECT that waits is answered with 0 when the peer opens", "6.1", REQ, 0,
     check004_peer_comes, NULL},
    {"S04.13", "in whichever order the ends open, both come to status 0", "6.2.2", REQ, 0,
     check004_either_order, NULL},
    {"S04.14", "a URI without scheme or authority gets 4", "6.1", REC, 0, check004_bad_uris, NULL},
    {"S04.15", "QoS fields of zero are filled in by the key server", "6.1", REQ, 0,
     check004_null_qos, NULL},
    {"S04.16", "an unsupported media type gets 7 and application/json as proposal", "6.1", REQ, 0,
     check004_media_type, NULL},
    {"S04.17a", "application/json is accepted", "6.1", REQ, 0, check004_json, NULL},
    {"S04.17b", "a stream without a media type has no metadata", "6.1", REQ, 0,
     check004_no_metadata, NULL},
    {"S04.18", "a QoS that cannot be met gets 7 and a proposal that can", "6.1", REQ, 0,
     check004_counter_proposal, NULL},
    {"S04.19", "Timeout 0 leaves the Timeout to the key server", "6.1", REC, 0,
     check004_timeout_zero, NULL},
    {"S04.20a", "GET_KEY of an unknown stream gets 3", "6.1", REQ, 0, check004_unknown_stream,
     NULL},
    {"S04.20b", "GET_KEY of a stream that the peer has not opened gets 3", "6.1", REQ, 0,
     check004_absent_peer, NULL},
    {"S04.21", "a key has Key_chunk_size octets, and the index comes back", "6.1", REQ, 0,
     check004_size_and_index, NULL},
    {"S04.22a", "both ends read the same octets at the same index", "6.1", REQ, 0,
     check004_same_octets, NULL},
    {"S04.22b", "no octets occur in two streams or at two indexes", "6.1", REQ, 0,
     check004_no_octets_twice, NULL},
    {"S04.23", "an index that was delivered gets 2 afterwards", "6.1", REC, 0,
     check004_repeated_index, NULL},
    {"S04.24a", "indexes may be asked for in any order", "6.1", REQ, 0, check004_any_order, NULL},
    {"S04.24b", "an index far away gets 2 at once", "6.1", REC, 0, check004_beyond_window, NULL},
    {"S04.25a", "GET_KEY waits for a key that is not there yet", "6.1", REQ, 0, check004_next_waits,
     NULL},
    {"S04.25b", "GET_KEY without key gets 6 at the Timeout", "6.1", REQ, 0, check004_timeout, NULL},
    {"S04.26a", "without room for metadata the key comes without", "6.1", REQ, 0, check004_no_room,
     NULL},
    {"S04.26b", "too little room for metadata gets 8 and keeps the key", "6.1", REQ, 0,
     check004_too_small, NULL},
    {"S04.27", "metadata is JSON with an age and hops of 32 bits", "6.1", REQ, 0,
     check004_metadata_json, NULL},
    {"S04.28", "metadata never exceeds the room that was given", "6.1", REQ, 0,
     check004_room_is_kept, NULL},
    {"S04.29", "CLOSE gets 0, and the stream is gone for that end: 3", "6.1", REC, 0,
     check004_close, NULL},
    {"S04.30", "after one end's CLOSE the other reads what is allocated, and no more", "6.1", REQ,
     0, check004_peer_left, NULL},
    {"S04.31a", "a key older than its TTL is gone at both ends", "6.1", REQ, 0, check004_ttl, NULL},
    {"S04.31b", "a stream that all have left for its TTL disappears", "6.1", REC, 0,
     check004_abandoned, NULL},
    {"S04.32", "a closed ID cannot be opened again: 5", "6.1", REC, 0, check004_burnt_id, NULL},
    {"S04.33", "a lost connection closes no stream, and its owner comes back", "6.1", REC, 0,
     check004_lost_connection, NULL},
    {"S04.34a", "no certificate, or one that nobody trusts, is refused", "wire", REC, 0,
     check004_certificate, NULL},
    {"S04.34b", "other identities get 3 on GET_KEY and CLOSE", "6.1", REC, 0,
     check004_other_identity, NULL},
    {"S04.35a", "calls that wait delay no other connection", "6.1", REC, 0, check004_waiting_calls,
     NULL},
    {"S04.35b", "a thousand streams and a hundred waiting calls delay nobody", "6.1", REC,
     CHECK_NEEDS_HEAVY, check004_many_streams, NULL},
    {"S04.36a", "delivery keeps to Max_bps", "6.1", REC, 0, check004_max_bps, NULL},
    {"S04.36b", "delivery keeps up with Min_bps", "6.1", REQ, 0, check004_min_bps, NULL},
    {"S04.37", "without the other key server 4, and all recovers when it is back", "6.1", REQ,
     CHECK_NEEDS_LAB | CHECK_NEEDS_RESTART, check004_link_down, NULL},
    {"S04.38", "positions beyond 4 GiB do not overflow", "6.1", REC, 0, check004_largest_index,
     NULL},
    {"S04.39", "key memory is locked and wiped, and logs hold no key", "6.1", REC, 0, NULL,
     "memory and logs are the key server's own"},
    {"S04.40", "W2: answers are complete structures, lengths zero on errors", "wire", REC, 0,
     check004_w2_complete, NULL},
};

/* The cast, and the end that only this table has. */
struct state {
    struct cast004 cast;
    struct settings *outsider; /* the initiator at the responder's key server */
};

const struct cast004 *check004_cast(const struct check_run *run)
{
    const struct state *state = run->state;

    return &state->cast;
}

static bool is_same_address(const struct endpoint *one, const struct endpoint *other)
{
    const struct endpoint_address *a = endpoint_address(one), *b = endpoint_address(other);

    return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

/* Where no third SAE was given, and there are two key servers, the initiator is a stranger to the
 * responder's. */
static bool find_stranger(const struct check_run *run, struct state *state, struct status *status)
{
    struct endpoint **ends = state->cast.endpoints;
    const char *values[SETTING_COUNT];

    if (run->settings[CHECK_STRANGER] != NULL) {
        ends[END_STRANGER] = settings_endpoint(run->settings[CHECK_STRANGER]);
        state->cast.stranger_is_an_sae = true;
        return true;
    }
    if (is_same_address(ends[END_INITIATOR], ends[END_RESPONDER]))
        return true;
    memcpy(values, run->values[CHECK_INITIATOR], sizeof(values));
    values[SETTING_KME] = run->values[CHECK_RESPONDER][SETTING_KME];
    values[SETTING_CA] = run->values[CHECK_RESPONDER][SETTING_CA];
    state->outsider = settings_new(values);
    if (state->outsider == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory");
    ends[END_STRANGER] = settings_endpoint(state->outsider);
    return true;
}

static bool fill_in(const struct check_run *run, struct state *state, struct status *status)
{
    const struct settings *initiator = run->settings[CHECK_INITIATOR];
    struct endpoint **ends = state->cast.endpoints;

    state->cast.dialect = settings_etsi004_dialect(initiator);
    state->cast.patience_ms = (int)run->choices.timeout_ms + 2 * SCENE_SHORT_MS;
    state->cast.lab = run->lab;
    state->cast.responders_kme = run->lab_kmes[CHECK_RESPONDER];
    snprintf(state->cast.uris[0], sizeof(state->cast.uris[0]), "%s",
             settings_source_uri(initiator));
    snprintf(state->cast.uris[1], sizeof(state->cast.uris[1]), "%s",
             settings_destination_uri(initiator));
    ends[END_INITIATOR] = settings_endpoint(run->settings[CHECK_INITIATOR]);
    ends[END_RESPONDER] = settings_endpoint(run->settings[CHECK_RESPONDER]);
    state->cast.sae = settings_sae(initiator);
    return find_stranger(run, state, status);
}

/* A key server that cannot be reached at all is no matter of checks. */
static bool is_reachable(struct endpoint *endpoint, int patience_ms, struct status *status)
{
    struct deadline deadline = deadline_in_ms(patience_ms);
    struct connection *connection = connection_open(endpoint, &deadline, status);

    connection_close(connection);
    return connection != NULL || endpoint_blame(endpoint, status);
}

static bool are_reachable(const struct cast004 *cast, struct status *status)
{
    return is_reachable(cast->endpoints[END_INITIATOR], cast->patience_ms, status) &&
           is_reachable(cast->endpoints[END_RESPONDER], cast->patience_ms, status);
}

static void free_state(struct state *state)
{
    if (state == NULL)
        return;
    settings_free(state->outsider);
    OPENSSL_free(state);
}

static bool begin(struct check_run *run, struct status *status)
{
    struct state *state = OPENSSL_zalloc(sizeof(*state));

    if (state == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory");
    if (!fill_in(run, state, status) || !are_reachable(&state->cast, status)) {
        free_state(state);
        return false;
    }
    run->state = state;
    return true;
}

static void end(struct check_run *run)
{
    free_state(run->state);
    run->state = NULL;
}

const struct check_table check_table_004 = {
    .api = ENDPOINT_ETSI004,
    .api_text = "004",
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .begin = begin,
    .end = end,
};
