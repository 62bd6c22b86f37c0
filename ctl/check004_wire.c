/* SPDX-License-Identifier: Apache-2.0 */
/* S04 1 to 5, 38 and 40: frames, profiles, what is malformed. */
#include <string.h>

#include "ctl/check004.h"

enum {
    W1_SHORT_BYTES = 4,
    W2_KEY_EMPTY_BYTES = 16,  /* status, index, two lengths of zero */
    W2_TERMS_EMPTY_BYTES = 45 /* seven integers, an empty text, an ID */
};

/* Whether an answer has the service type that belongs to its request, and the same version. */
static bool echoes(const struct scene004 *scene, const struct reply004 *reply,
                   enum etsi004_service asked, const char *what, struct status *status)
{
    struct etsi004_version version = etsi004_version_of(scene004_profile(scene));
    const uint8_t *got = reply->version.octets;

    if (reply->service != asked + 1)
        return status_fail(status, OUTCOME_KME, "%s: expected service type 0x%02x, got 0x%02x",
                           what, (unsigned)asked + 1, reply->service);
    return memcmp(got, version.octets, sizeof(version.octets)) == 0 ||
           status_fail(status, OUTCOME_KME, "%s: expected version %u.%u.%u, got %u.%u.%u", what,
                       version.octets[0], version.octets[1], version.octets[2], got[0], got[1],
                       got[2]);
}

static bool refusal_has_form(const struct scene004 *scene, const struct reply004 *reply,
                             struct status *status)
{
    size_t expected = scene004_profile(scene) == ETSI004_W2 ? W2_KEY_EMPTY_BYTES : W1_SHORT_BYTES;

    return reply->outcome == ETSI004_SUCCESS || reply->payload_bytes == expected ||
           status_fail(status, OUTCOME_KME,
                       "GET_KEY of an unknown stream: expected %zu octets, got %zu", expected,
                       reply->payload_bytes);
}

static bool profile_and_version(struct scene004 *scene, struct status *status)
{
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;
    struct key_id unknown, id;

    if (line == NULL || !new_stream_id(&unknown, status) ||
        !line004_open(line, &open, &reply, status) ||
        !echoes(scene, &reply, ETSI004_OPEN_CONNECT, "OPEN_CONNECT", status))
        return false;
    id = reply.stream_id;
    return line004_get_key(line, &unknown, 0, &reply, status) &&
           echoes(scene, &reply, ETSI004_GET_KEY, "GET_KEY", status) &&
           refusal_has_form(scene, &reply, status) && line004_close(line, &id, &reply, status) &&
           echoes(scene, &reply, ETSI004_CLOSE, "CLOSE", status);
}

CHECK004(check004_profile_and_version, profile_and_version)

/* Appends the request of OPEN_CONNECT without an ID. */
static void put_open(const struct scene004 *scene, struct buf *octets)
{
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);

    etsi004_open_put(octets, scene004_profile(scene), &open);
}

/* Each piece by itself; the connections send at once what they are given. */
static bool send_pieces(struct line004 *line, const struct buf *octets, size_t piece_bytes,
                        struct status *status)
{
    bool ok = !octets->failed;

    for (size_t at = 0; ok && at < octets->length; at += piece_bytes) {
        struct buf piece;
        size_t left = octets->length - at;

        buf_init(&piece, octets->length);
        buf_put(&piece, octets->data + at, left < piece_bytes ? left : piece_bytes);
        ok = line004_send(line, &piece, status);
        buf_free(&piece);
    }
    return ok;
}

static bool in_pieces(struct scene004 *scene, size_t piece_bytes, struct status *status)
{
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct reply004 reply;
    struct buf octets;
    bool ok;

    if (line == NULL)
        return false;
    buf_init(&octets, ETSI004_PAYLOAD_MAX_BYTES);
    put_open(scene, &octets);
    ok = send_pieces(line, &octets, piece_bytes, status) &&
         line004_read(line, ETSI004_OPEN_CONNECT, &reply, status) &&
         expect_open(&reply, "OPEN_CONNECT in pieces", status);
    buf_free(&octets);
    return ok;
}

static bool several_at_once(struct scene004 *scene, struct status *status)
{
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct reply004 reply;
    struct key_id id;
    struct buf octets;
    bool ok;

    if (line == NULL || !new_stream_id(&id, status))
        return false;
    buf_init(&octets, ETSI004_PAYLOAD_MAX_BYTES);
    put_open(scene, &octets);
    etsi004_close_put(&octets, scene004_profile(scene), &id);
    put_open(scene, &octets);
    ok = line004_send(line, &octets, status) &&
         line004_read(line, ETSI004_OPEN_CONNECT, &reply, status) &&
         expect_open(&reply, "the first of three requests", status) &&
         line004_read(line, ETSI004_CLOSE, &reply, status) &&
         line004_read(line, ETSI004_OPEN_CONNECT, &reply, status) &&
         expect_open(&reply, "the third of three requests", status);
    buf_free(&octets);
    return ok;
}

static bool pieces(struct scene004 *scene, struct status *status)
{
    static const size_t sizes_bytes[] = {1, 3, 7, 9, 100};

    for (size_t i = 0; i < sizeof(sizes_bytes) / sizeof(sizes_bytes[0]); i++)
        if (!in_pieces(scene, sizes_bytes[i], status))
            return false;
    /* In W2 a server may end the connection behind its first answer. */
    return scene004_profile(scene) == ETSI004_W2 || several_at_once(scene, status);
}

CHECK004(check004_pieces, pieces)

static void put_header(const struct scene004 *scene, struct buf *octets, uint8_t service,
                       uint32_t payload_bytes)
{
    struct etsi004_version version = etsi004_version_of(scene004_profile(scene));

    buf_init(octets, 2 * ETSI004_PAYLOAD_MAX_BYTES);
    buf_put(octets, version.octets, sizeof(version.octets));
    buf_put_u8(octets, service);
    buf_put_u32(octets, payload_bytes);
}

/* Sends a frame that deserves no answer; the connection must end. */
static bool is_ended_by(struct scene004 *scene, uint8_t service, uint32_t payload_bytes,
                        const void *payload, size_t sent_bytes, const char *what,
                        struct status *status)
{
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct buf octets;
    bool ok;

    if (line == NULL)
        return false;
    put_header(scene, &octets, service, payload_bytes);
    buf_put(&octets, payload, sent_bytes);
    ok = line004_send(line, &octets, status) && line004_ends(line, what, status);
    buf_free(&octets);
    line004_drop(line);
    return ok;
}

static bool still_serves(struct scene004 *scene, struct status *status)
{
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;

    return (line != NULL && line004_open(line, &open, &reply, status) &&
            expect_open(&reply, "OPEN_CONNECT", status)) ||
           status_prefix(status, "afterwards");
}

static bool too_large(struct scene004 *scene, struct status *status)
{
    static const uint32_t sizes_bytes[] = {0x7fffffff, 0xffffffff};

    for (size_t i = 0; i < sizeof(sizes_bytes) / sizeof(sizes_bytes[0]); i++)
        if (!is_ended_by(scene, ETSI004_OPEN_CONNECT, sizes_bytes[i], NULL, 0,
                         i == 0 ? "a payload length of 2 GiB" : "a payload length of 4 GiB",
                         status))
            return false;
    return still_serves(scene, status);
}

CHECK004(check004_too_large, too_large)

static bool unknown_service(struct scene004 *scene, struct status *status)
{
    return is_ended_by(scene, 0x06, 0, NULL, 0, "service type 0x06", status) &&
           is_ended_by(scene, 0x80, 0, NULL, 0, "service type 0x80", status) &&
           still_serves(scene, status);
}

CHECK004(check004_unknown_service, unknown_service)

/* What the connection does is of no interest, only that the key server lives on. */
static bool stop_service(struct scene004 *scene, struct status *status)
{
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct status ignored = STATUS_INIT;
    struct buf octets;
    bool ok;

    if (line == NULL)
        return false;
    put_header(scene, &octets, 0xff, 0);
    ok = line004_send(line, &octets, status);
    buf_free(&octets);
    line004_ends(line, "service type 0xFF", &ignored);
    return ok && still_serves(scene, status);
}

CHECK004(check004_stop_service, stop_service)

/* A malformed frame may end its connection or be refused, but not wait for a Timeout. */
static bool is_refused_at_once(struct scene004 *scene, uint8_t service, const void *payload,
                               size_t payload_bytes, uint32_t timeout_ms, const char *what,
                               struct status *status)
{
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct status failure = STATUS_INIT;
    struct reply004 reply;
    struct buf octets;
    bool ok;

    if (line == NULL)
        return false;
    put_header(scene, &octets, service, (uint32_t)payload_bytes);
    buf_put(&octets, payload, payload_bytes);
    ok = line004_send(line, &octets, status);
    buf_free(&octets);
    if (!ok || line004_read(line, (enum etsi004_service)service, &reply, &failure))
        return ok && expect_one_of(&reply, ~(1u << ETSI004_SUCCESS), what, status) &&
               expect_at_once(&reply, timeout_ms, what, status);
    return failure.outcome != OUTCOME_TIMEOUT ||
           status_fail(status, OUTCOME_KME,
                       "%s: expected a refusal or the end of the connection, got nothing within "
                       "%d ms",
                       what, scene->cast->patience_ms);
}

static bool malformed(struct scene004 *scene, struct status *status)
{
    static const char no_end[40] = "client://no-end-of-the-text-anywhere---";
    struct pair004 pair;
    uint32_t timeout_ms;
    uint8_t get_key[18] = {0};

    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    memcpy(get_key, pair.id.octets, sizeof(pair.id.octets));
    timeout_ms = pair.qos.timeout_ms;
    return is_refused_at_once(scene, ETSI004_OPEN_CONNECT, no_end, sizeof(no_end) - 1, timeout_ms,
                              "OPEN_CONNECT that ends in its source", status) &&
           is_refused_at_once(scene, ETSI004_GET_KEY, get_key, sizeof(get_key), timeout_ms,
                              "GET_KEY with half an index", status) &&
           is_refused_at_once(scene, ETSI004_GET_KEY, get_key, 7, timeout_ms,
                              "GET_KEY with half a stream ID", status) &&
           is_refused_at_once(scene, ETSI004_CLOSE, get_key, 15, timeout_ms,
                              "CLOSE with 15 octets of stream ID", status) &&
           is_refused_at_once(scene, ETSI004_CLOSE, NULL, 0, timeout_ms,
                              "CLOSE without a stream ID", status);
}

CHECK004(check004_malformed, malformed)

/* index x chunk size does not fit 32 bits: were it cut off, position 0 would come again. */
static bool largest_index(struct scene004 *scene, struct status *status)
{
    static const uint32_t indexes[] = {0xffffffff, 0x80000000, UINT32_C(1) << 27};
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
        struct line004 *line = line004_new(scene, END_INITIATOR, status);
        struct reply004 reply;

        if (line == NULL || !line004_get_key(line, &pair.id, indexes[i], &reply, status) ||
            !expect_outcome(&reply, ETSI004_INSUFFICIENT_KEY, "GET_KEY of an index so large",
                            status))
            return status_prefix(status, "index %u", (unsigned)indexes[i]);
    }
    return true;
}

CHECK004(check004_largest_index, largest_index)

static bool has_bytes(const struct reply004 *reply, size_t bytes, const char *what,
                      struct status *status)
{
    return reply->payload_bytes == bytes ||
           status_fail(status, OUTCOME_KME,
                       "%s: expected the complete structure of %zu octets, got %zu", what, bytes,
                       reply->payload_bytes);
}

static bool w2_complete(struct scene004 *scene, struct status *status)
{
    struct line004 *line;
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;
    struct key_id unknown;

    if (scene004_profile(scene) != ETSI004_W2)
        return scene004_skip(scene, "it is about the wire profile W2: only with --dialect w2");
    line = line004_new(scene, END_INITIATOR, status);
    memcpy(open.source, "nowhere", sizeof("nowhere"));
    return line != NULL && new_stream_id(&unknown, status) &&
           line004_open(line, &open, &reply, status) &&
           expect_one_of(&reply, ~(1u << ETSI004_SUCCESS), "OPEN_CONNECT without a URI", status) &&
           has_bytes(&reply, sizeof(uint32_t) + W2_TERMS_EMPTY_BYTES, "a refused OPEN_CONNECT",
                     status) &&
           line004_get_key(line, &unknown, 7, &reply, status) &&
           has_bytes(&reply, W2_KEY_EMPTY_BYTES, "a refused GET_KEY", status);
}

CHECK004(check004_w2_complete, w2_complete)
