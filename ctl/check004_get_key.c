/* SPDX-License-Identifier: Apache-2.0 */
/* S04 20 to 25, 31 and 36: GET_KEY. */
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ctl/check004.h"

enum { NS_PER_MS = 1000000 };

static bool key_of(struct line004 *line, const struct key_id *id, uint32_t index,
                   struct reply004 *reply, struct status *status)
{
    return (line004_get_key(line, id, index, reply, status) &&
            expect_key(reply, end004_text(line004_end(line)), status)) ||
           status_prefix(status, "index %u", (unsigned)index);
}

static bool unknown_stream(struct scene004 *scene, struct status *status)
{
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct reply004 reply;
    struct key_id id;

    return line != NULL && new_stream_id(&id, status) &&
           line004_get_key(line, &id, 0, &reply, status) &&
           expect_outcome(&reply, ETSI004_PEER_NOT_CONNECTED, "GET_KEY of an unknown stream",
                          status);
}

CHECK004(check004_unknown_stream, unknown_stream)

static bool absent_peer(struct scene004 *scene, struct status *status)
{
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    unsigned wanted = 1u << ETSI004_PEER_NOT_CONNECTED;
    struct reply004 reply;
    struct key_id id;

    open.qos.timeout_ms = SCENE_SHORT_MS;
    if (line == NULL || !line004_open(line, &open, &reply, status) ||
        !expect_open(&reply, "OPEN_CONNECT", status))
        return false;
    id = reply.stream_id;
    if (scene004_is_qubip(scene)) {
        scene004_note(scene, "qubip: the first may read before the peer has opened");
        wanted |= 1u << ETSI004_SUCCESS;
    }
    return line004_get_key(line, &id, 0, &reply, status) &&
           expect_one_of(&reply, wanted, "GET_KEY without a peer", status);
}

CHECK004(check004_absent_peer, absent_peer)

static bool has_size(struct scene004 *scene, uint32_t chunk_bytes, struct status *status)
{
    struct etsi004_qos qos = scene004_wish(scene, END_INITIATOR).qos;
    struct reply004 reply;
    struct pair004 pair;

    qos.key_chunk_size_bytes = chunk_bytes;
    if (!scene004_pair(scene, &qos, &pair, status))
        return false;
    if (pair.qos.key_chunk_size_bytes != chunk_bytes)
        return status_fail(status, OUTCOME_KME,
                           "asked for Key_chunk_size %u, was granted %u with success",
                           (unsigned)chunk_bytes, (unsigned)pair.qos.key_chunk_size_bytes);
    for (uint32_t index = 0; index < 2; index++) {
        if (!key_of(pair.lines[END_INITIATOR], &pair.id, index, &reply, status))
            return false;
        if (reply.key->size_bytes != chunk_bytes || reply.index != index)
            return status_fail(status, OUTCOME_KME,
                               "expected index %u and %u octets, got index %u and %zu octets",
                               (unsigned)index, (unsigned)chunk_bytes, (unsigned)reply.index,
                               reply.key->size_bytes);
    }
    return true;
}

static bool size_and_index(struct scene004 *scene, struct status *status)
{
    static const uint32_t chunks_bytes[] = {1, 32, 48, 100};

    for (size_t i = 0; i < sizeof(chunks_bytes) / sizeof(chunks_bytes[0]); i++)
        if (!has_size(scene, chunks_bytes[i], status))
            return status_prefix(status, "chunks of %u octets", (unsigned)chunks_bytes[i]);
    return true;
}

CHECK004(check004_size_and_index, size_and_index)

static bool same_octets(struct scene004 *scene, struct status *status)
{
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    for (uint32_t index = 0; index < 4; index++) {
        struct line004 *one = pair.lines[index % 2], *other = pair.lines[1 - index % 2];
        struct reply004 first, second;

        if (!key_of(one, &pair.id, index, &first, status) ||
            !key_of(other, &pair.id, index, &second, status) ||
            !expect_same_key(&first, &second, "the same index of the same stream", status))
            return false;
    }
    return true;
}

CHECK004(check004_same_octets, same_octets)

/* No piece of any key of this scene may occur in another place. */
static bool pieces_differ(const struct scene004 *scene, struct status *status)
{
    enum { PIECE_BYTES = 16 };

    for (size_t i = 0; i < scene->key_count; i++)
        for (size_t j = 0; j < i; j++)
            for (size_t a = 0; a + PIECE_BYTES <= scene->keys[i]->size_bytes; a += PIECE_BYTES)
                for (size_t b = 0; b + PIECE_BYTES <= scene->keys[j]->size_bytes; b += PIECE_BYTES)
                    if (CRYPTO_memcmp(scene->keys[i]->bytes + a, scene->keys[j]->bytes + b,
                                      PIECE_BYTES) == 0)
                        return status_fail(status, OUTCOME_KME,
                                           "two positions share %d octets: keys %zu and %zu of "
                                           "those read",
                                           PIECE_BYTES, j + 1, i + 1);
    return true;
}

static bool no_octets_twice(struct scene004 *scene, struct status *status)
{
    enum { STREAMS = 3, POSITIONS = 4 };

    for (int stream = 0; stream < STREAMS; stream++) {
        struct reply004 reply;
        struct pair004 pair;

        if (!scene004_pair(scene, NULL, &pair, status))
            return false;
        for (uint32_t index = 0; index < POSITIONS; index++)
            if (!key_of(pair.lines[stream % 2], &pair.id, index, &reply, status))
                return false;
    }
    return pieces_differ(scene, status);
}

CHECK004(check004_no_octets_twice, no_octets_twice)

static bool repeated_index(struct scene004 *scene, struct status *status)
{
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    if (scene004_is_qubip(scene))
        scene004_note(scene, "qubip: the same key again");
    for (int end = END_INITIATOR; end <= END_RESPONDER; end++) {
        struct line004 *line = pair.lines[end];
        struct reply004 first, again;

        if (!key_of(line, &pair.id, 0, &first, status) ||
            !line004_get_key(line, &pair.id, 0, &again, status))
            return false;
        if (scene004_is_qubip(scene)) {
            if (!expect_key(&again, "the same index again", status) ||
                !expect_same_key(&first, &again, "the same index again", status))
                return false;
        } else if (!expect_outcome(&again, ETSI004_INSUFFICIENT_KEY, "the same index again",
                                   status)) {
            return false;
        }
    }
    return true;
}

CHECK004(check004_repeated_index, repeated_index)

static bool any_order(struct scene004 *scene, struct status *status)
{
    enum { POSITIONS = 4 };
    static const uint32_t orders[2][POSITIONS] = {{3, 0, 2, 1}, {1, 2, 3, 0}};
    struct reply004 replies[2][POSITIONS];
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    for (int end = END_INITIATOR; end <= END_RESPONDER; end++)
        for (int i = 0; i < POSITIONS; i++)
            if (!key_of(pair.lines[end], &pair.id, orders[end][i], &replies[end][orders[end][i]],
                        status))
                return false;
    for (int index = 0; index < POSITIONS; index++)
        if (!expect_same_key(&replies[0][index], &replies[1][index], "read in another order",
                             status))
            return status_prefix(status, "index %d", index);
    return true;
}

CHECK004(check004_any_order, any_order)

static bool beyond_window(struct scene004 *scene, struct status *status)
{
    enum { FAR_AWAY = 1000000 };
    struct reply004 reply;
    struct pair004 pair;

    return scene004_pair(scene, NULL, &pair, status) &&
           line004_get_key(pair.lines[END_INITIATOR], &pair.id, FAR_AWAY, &reply, status) &&
           expect_outcome(&reply, ETSI004_INSUFFICIENT_KEY, "index 1000000", status) &&
           expect_at_once(&reply, SCENE_LONG_MS, "index 1000000", status);
}

CHECK004(check004_beyond_window, beyond_window)

/* A stream so slow that its next key can be waited for, without emptying any store. */
static bool slow_pair(struct scene004 *scene, uint32_t max_bps, uint32_t timeout_ms,
                      struct pair004 *pair, struct status *status)
{
    struct etsi004_qos qos = scene004_wish(scene, END_INITIATOR).qos;
    struct reply004 reply;

    qos.max_bps = max_bps;
    qos.timeout_ms = timeout_ms;
    if (!scene004_pair(scene, &qos, pair, status))
        return false;
    if (pair->qos.max_bps > max_bps)
        return scene004_skip(scene, "the key server grants no Max_bps below %u",
                             (unsigned)pair->qos.max_bps);
    return key_of(pair->lines[END_INITIATOR], &pair->id, 0, &reply, status);
}

static const char no_rate[] = "the next key was there at once: the key server keeps to no Max_bps "
                              "with which it could be made to wait (see S04.36)";

static bool next_waits(struct scene004 *scene, struct status *status)
{
    enum { CHUNK_EACH_MS = 800, TOLERANCE_PERCENT = 20 };
    int64_t begin_ns = monotonic_ns();
    struct reply004 reply;
    struct pair004 pair;

    if (!slow_pair(scene, SCENE_CHUNK_BYTES * 8 * 1000 / CHUNK_EACH_MS, SCENE_LONG_MS, &pair,
                   status))
        return false;
    if (scene004_skipped(scene))
        return true;
    if (!line004_get_key(pair.lines[END_INITIATOR], &pair.id, 1, &reply, status) ||
        !expect_key(&reply, "the next index, which is not available yet", status))
        return false;
    /* From before the first key on, so that a slow program here changes nothing. */
    return (monotonic_ns() - begin_ns) / NS_PER_MS >=
               CHUNK_EACH_MS * (100 - TOLERANCE_PERCENT) / 100 ||
           scene004_skip(scene, "%s", no_rate);
}

CHECK004(check004_next_waits, next_waits)

static bool timeout(struct scene004 *scene, struct status *status)
{
    static const char what[] = "an index that does not become available";
    struct reply004 reply;
    struct pair004 pair;

    if (!slow_pair(scene, 8, 2 * SCENE_SHORT_MS, &pair, status))
        return false;
    if (scene004_skipped(scene))
        return true;
    if (pair.qos.timeout_ms != 2 * SCENE_SHORT_MS)
        return scene004_skip(scene, "the key server grants a Timeout of %u ms instead of %d",
                             (unsigned)pair.qos.timeout_ms, 2 * SCENE_SHORT_MS);
    if (!line004_get_key(pair.lines[END_INITIATOR], &pair.id, 1, &reply, status))
        return false;
    if (reply.outcome == ETSI004_SUCCESS)
        return scene004_skip(scene, "%s", no_rate);
    return expect_outcome(&reply, ETSI004_TIMEOUT, what, status) &&
           expect_at_timeout(&reply, 2 * SCENE_SHORT_MS, what, status);
}

CHECK004(check004_timeout, timeout)

static bool ttl(struct scene004 *scene, struct status *status)
{
    enum { TTL_S = 1, LATER_MS = 2500 };
    const unsigned gone = EITHER(ETSI004_INSUFFICIENT_KEY, ETSI004_PEER_NOT_CONNECTED);
    struct reply004 reply;
    struct pair004 pair;

    if (!scene004_pair_of_ttl(scene, TTL_S, &pair, status) || scene004_skipped(scene))
        return scene004_skipped(scene);
    if (!key_of(pair.lines[END_INITIATOR], &pair.id, 1, &reply, status))
        return false;
    poll(NULL, 0, LATER_MS);
    return expect_no_key(pair.lines[END_INITIATOR], &pair.id, 0, gone,
                         "index 0 after its TTL, at the initiator", status) &&
           expect_no_key(pair.lines[END_RESPONDER], &pair.id, 1, gone,
                         "index 1 after its TTL, at the responder", status);
}

CHECK004(check004_ttl, ttl)

static bool max_bps(struct scene004 *scene, struct status *status)
{
    enum { CHUNK_EACH_MS = 100, KEYS = 7, TOLERANCE_PERCENT = 20 };
    const int64_t least_ms = (KEYS - 1) * CHUNK_EACH_MS * (100 - TOLERANCE_PERCENT) / 100;
    int64_t begin_ns, took_ms;
    struct reply004 reply;
    struct pair004 pair;

    begin_ns = monotonic_ns();
    if (!slow_pair(scene, SCENE_CHUNK_BYTES * 8 * 1000 / CHUNK_EACH_MS, SCENE_LONG_MS, &pair,
                   status))
        return false;
    if (scene004_skipped(scene))
        return true;
    for (uint32_t index = 1; index < KEYS; index++)
        if (!key_of(pair.lines[END_INITIATOR], &pair.id, index, &reply, status))
            return false;
    took_ms = (monotonic_ns() - begin_ns) / NS_PER_MS;
    return took_ms >= least_ms ||
           status_fail(status, OUTCOME_KME,
                       "%d keys of %d bits at Max_bps %d: expected at least %" PRId64
                       " ms, they took %" PRId64 " ms",
                       KEYS, SCENE_CHUNK_BYTES * 8, SCENE_CHUNK_BYTES * 8 * 1000 / CHUNK_EACH_MS,
                       least_ms, took_ms);
}

CHECK004(check004_max_bps, max_bps)

static bool min_bps(struct scene004 *scene, struct status *status)
{
    enum { RATE_BPS = 2560, KEYS = 10, MARGIN_MS = 3000 };
    const int64_t most_ms = INT64_C(1000) * KEYS * SCENE_CHUNK_BYTES * 8 / RATE_BPS + MARGIN_MS;
    struct etsi004_qos qos = scene004_wish(scene, END_INITIATOR).qos;
    int64_t begin_ns, took_ms;
    struct reply004 reply;
    struct pair004 pair;

    qos.min_bps = RATE_BPS;
    if (!scene004_pair(scene, &qos, &pair, status))
        return false;
    begin_ns = monotonic_ns();
    for (uint32_t index = 0; index < KEYS; index++)
        if (!key_of(pair.lines[END_INITIATOR], &pair.id, index, &reply, status))
            return false;
    took_ms = (monotonic_ns() - begin_ns) / NS_PER_MS;
    return took_ms <= most_ms ||
           status_fail(status, OUTCOME_KME,
                       "%d keys of %d bits at Min_bps %d: expected at most %" PRId64
                       " ms, they took %" PRId64 " ms",
                       KEYS, SCENE_CHUNK_BYTES * 8, RATE_BPS, most_ms, took_ms);
}

CHECK004(check004_min_bps, min_bps)
