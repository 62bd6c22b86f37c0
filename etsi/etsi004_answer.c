/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "etsi/etsi004_wire.h"

/* Whether an answer to OPEN_CONNECT says what was or could be granted. */
static bool has_terms(enum etsi004_outcome outcome)
{
    return outcome == ETSI004_SUCCESS || outcome == ETSI004_PEER_NOT_YET_CONNECTED ||
           outcome == ETSI004_QOS_NOT_MET;
}

void etsi004_open_answer_put(struct buf *buf, enum etsi004_profile profile,
                             struct etsi004_version version,
                             const struct etsi004_open_answer *answer)
{
    static const struct etsi004_qos no_qos;
    static const struct key_id no_stream;
    size_t begin = etsi004_frame_begin(buf, version, ETSI004_OPEN_CONNECT_ANSWER);

    etsi004_outcome_put(buf, profile, answer->outcome);
    if (has_terms(answer->outcome))
        etsi004_terms_put(buf, profile, &answer->qos, &answer->stream_id);
    else if (profile == ETSI004_W2)
        etsi004_terms_put(buf, profile, &no_qos, &no_stream);
    etsi004_frame_end(buf, begin);
}

static void put_key(struct buf *buf, const struct etsi004_key_answer *answer)
{
    if (answer->key == NULL || answer->key->size_bytes > ETSI004_CHUNK_MAX_BYTES ||
        answer->metadata_bytes > ETSI004_METADATA_MAX_BYTES) {
        buf->failed = true;
        return;
    }
    buf_put_u32(buf, answer->index);
    buf_put_u32(buf, (uint32_t)answer->key->size_bytes);
    buf_put(buf, answer->key->bytes, answer->key->size_bytes);
    buf_put_u32(buf, answer->metadata_bytes);
    buf_put(buf, answer->metadata, answer->metadata_bytes);
}

/* W2 has no place for the metadata size that was needed: a length is followed by as many octets,
 * and its clients take no more of them than they had room for. */
static void put_no_key(struct buf *buf, enum etsi004_profile profile,
                       const struct etsi004_key_answer *answer)
{
    if (profile == ETSI004_W2) {
        buf_put_u32(buf, answer->index);
        buf_put_u32(buf, 0);
        buf_put_u32(buf, 0);
    } else if (answer->outcome == ETSI004_METADATA_TOO_SMALL) {
        buf_put_u32(buf, answer->metadata_bytes);
    }
}

void etsi004_key_answer_put(struct buf *buf, enum etsi004_profile profile,
                            struct etsi004_version version, const struct etsi004_key_answer *answer)
{
    size_t begin = etsi004_frame_begin(buf, version, ETSI004_GET_KEY_ANSWER);

    etsi004_outcome_put(buf, profile, answer->outcome);
    if (answer->outcome == ETSI004_SUCCESS)
        put_key(buf, answer);
    else
        put_no_key(buf, profile, answer);
    etsi004_frame_end(buf, begin);
}

void etsi004_close_answer_put(struct buf *buf, enum etsi004_profile profile,
                              struct etsi004_version version, enum etsi004_outcome outcome)
{
    size_t begin = etsi004_frame_begin(buf, version, ETSI004_CLOSE_ANSWER);

    etsi004_outcome_put(buf, profile, outcome);
    etsi004_frame_end(buf, begin);
}

static bool take_outcome(struct reader *reader, const struct etsi004_frame *frame,
                         enum etsi004_profile profile, enum etsi004_service service,
                         enum etsi004_outcome *outcome, struct status *status)
{
    uint32_t number;

    if (frame->service != service)
        return status_fail(status, OUTCOME_KME,
                           "the answer has service type 0x%02x instead of 0x%02x", frame->service,
                           (unsigned)service);
    reader_init(reader, frame->payload, frame->payload_bytes);
    number = reader_u32(reader);
    if (reader->failed)
        return status_fail(status, OUTCOME_KME, "the answer of %zu octets has no status",
                           frame->payload_bytes);
    if (!etsi004_outcome_of(profile, number, outcome))
        return status_fail(status, OUTCOME_KME, "the answer has the unknown status %u", number);
    return true;
}

/* A refusal in the complete form of W2, or in the short one of W1 with nothing behind it. */
static bool take_no_terms(struct reader *reader)
{
    enum etsi004_profile either = ETSI004_W2;
    struct etsi004_qos qos;
    struct key_id stream_id;

    return reader_done(reader) || etsi004_terms_take(reader, &either, &qos, &stream_id);
}

bool etsi004_open_answer_parse(const struct etsi004_frame *frame, enum etsi004_profile profile,
                               struct etsi004_open_answer *answer, struct status *status)
{
    enum etsi004_profile told = profile;
    struct reader reader;
    bool fits;

    memset(answer, 0, sizeof(*answer));
    if (!take_outcome(&reader, frame, profile, ETSI004_OPEN_CONNECT_ANSWER, &answer->outcome,
                      status))
        return false;
    if (has_terms(answer->outcome))
        fits = etsi004_terms_take(&reader, &told, &answer->qos, &answer->stream_id);
    else
        fits = take_no_terms(&reader);
    if (!fits)
        return status_fail(status, OUTCOME_KME,
                           "the answer to OPEN_CONNECT of %zu octets is malformed",
                           frame->payload_bytes);
    if (told != profile)
        return status_fail(status, OUTCOME_KME,
                           "the answer to OPEN_CONNECT is in the other wire profile");
    return true;
}

static bool take_metadata(struct reader *reader, struct etsi004_key_answer *answer)
{
    uint32_t length = reader_u32(reader);
    const uint8_t *metadata =
        length <= ETSI004_METADATA_MAX_BYTES ? reader_take(reader, length) : NULL;

    if (metadata == NULL || !reader_done(reader))
        return false;
    memcpy(answer->metadata, metadata, length);
    answer->metadata_bytes = length;
    return true;
}

static bool take_key(struct reader *reader, struct etsi004_key_answer *answer,
                     struct status *status)
{
    const uint8_t *key;
    uint32_t length;

    answer->index = reader_u32(reader);
    length = reader_u32(reader);
    if (!reader->failed && (length == 0 || length > ETSI004_CHUNK_MAX_BYTES))
        return status_fail(status, OUTCOME_KME, "the key of the answer has %u octets, not 1 to %d",
                           length, ETSI004_CHUNK_MAX_BYTES);
    key = reader_take(reader, length);
    if (!take_metadata(reader, answer) || key == NULL)
        return status_fail(status, OUTCOME_KME,
                           "the lengths in the answer to GET_KEY do not add up");
    answer->key = secret_new(length);
    if (answer->key == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a key of %u octets",
                           length);
    memcpy(answer->key->bytes, key, length);
    return true;
}

/* A refusal in the short form of W1 or in the complete one of W2: their lengths differ. */
static bool take_no_key(struct reader *reader, struct etsi004_key_answer *answer,
                        struct status *status)
{
    bool too_small = answer->outcome == ETSI004_METADATA_TOO_SMALL;
    uint32_t key_bytes = 0;
    bool fits;

    if (reader->left == (too_small ? sizeof(uint32_t) : 0)) {
        answer->metadata_bytes = too_small ? reader_u32(reader) : 0;
        return true;
    }
    reader_u32(reader);
    key_bytes = reader_u32(reader);
    fits = take_metadata(reader, answer) && key_bytes == 0;
    memset(answer->metadata, 0, sizeof(answer->metadata));
    if (!too_small)
        answer->metadata_bytes = 0;
    return fits ||
           status_fail(status, OUTCOME_KME, "the answer to GET_KEY with status \"%s\" is malformed",
                       etsi004_outcome_text(answer->outcome));
}

bool etsi004_key_answer_parse(const struct etsi004_frame *frame, enum etsi004_profile profile,
                              struct etsi004_key_answer *answer, struct status *status)
{
    struct reader reader;

    memset(answer, 0, sizeof(*answer));
    if (!take_outcome(&reader, frame, profile, ETSI004_GET_KEY_ANSWER, &answer->outcome, status))
        return false;
    if (answer->outcome == ETSI004_SUCCESS)
        return take_key(&reader, answer, status);
    return take_no_key(&reader, answer, status);
}

bool etsi004_close_answer_parse(const struct etsi004_frame *frame, enum etsi004_profile profile,
                                enum etsi004_outcome *outcome, struct status *status)
{
    struct reader reader;

    if (!take_outcome(&reader, frame, profile, ETSI004_CLOSE_ANSWER, outcome, status))
        return false;
    if (!reader_done(&reader))
        return status_fail(status, OUTCOME_KME, "the answer to CLOSE of %zu octets is malformed",
                           frame->payload_bytes);
    return true;
}
