/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/stream004.h"

#include <inttypes.h>
#include <stdio.h>

enum { CLOSE_LIMIT_MS = 1000 };

static struct etsi004_open open_request(const struct kme_session *session,
                                        const struct stream004_wish *wish)
{
    struct etsi004_open open = {.qos = {.key_chunk_size_bytes = wish->key_chunk_size_bytes,
                                        .timeout_ms = wish->timeout_ms,
                                        .ttl_s = wish->ttl_s}};

    snprintf(open.source, sizeof(open.source), "%s", settings_source_uri(session->settings));
    snprintf(open.destination, sizeof(open.destination), "%s",
             settings_destination_uri(session->settings));
    /* A key server that insists on metadata insists on its type, too. */
    if (client004_metadata_bytes(session->client004) > 0)
        snprintf(open.qos.metadata_mimetype, sizeof(open.qos.metadata_mimetype),
                 "application/json");
    if (wish->stream_id != NULL)
        open.stream_id = *wish->stream_id;
    return open;
}

bool stream004_open(struct kme_session *session, const struct stream004_wish *wish,
                    struct etsi004_open_answer *answer, struct status *status)
{
    struct etsi004_open open = open_request(session, wish);
    struct call004 call = {.kind = CALL004_OPEN_CONNECT};

    call.request.open = &open;
    call.answer.open = answer;
    return client004_call(session->client004, &call, 1, REPEAT_NEVER, &session->deadline, status);
}

bool stream004_is_open(const struct kme_session *session, const struct etsi004_open_answer *answer,
                       struct status *status)
{
    if (client004_is_open(session->client004, answer))
        return !key_id_is_zero(&answer->stream_id) ||
               status_fail(status, OUTCOME_KME, "KME %s opened a stream with the ID of zeros",
                           settings_kme(session->settings));
    if (answer->outcome != ETSI004_QOS_NOT_MET)
        return client004_refused(session->client004, "OPEN_CONNECT", answer->outcome, status);
    return status_fail(status, OUTCOME_KME,
                       "KME %s refused OPEN_CONNECT: %s; it offers keys of %" PRIu64
                       " bits, %" PRIu32 " to %" PRIu32 " bit/s, a timeout of %" PRIu32
                       " ms, a TTL of %" PRIu32 " s",
                       settings_kme(session->settings), etsi004_outcome_text(answer->outcome),
                       (uint64_t)answer->qos.key_chunk_size_bytes * 8, answer->qos.min_bps,
                       answer->qos.max_bps, answer->qos.timeout_ms, answer->qos.ttl_s);
}

bool stream004_close(struct kme_session *session, const struct key_id *stream_id,
                     struct status *status)
{
    struct deadline deadline = deadline_in_ms(CLOSE_LIMIT_MS);
    struct call004 call = {.kind = CALL004_CLOSE};

    call.request.close = *stream_id;
    return client004_call(session->client004, &call, 1, REPEAT_ONCE, &deadline, status) ||
           status_prefix(status, "the stream is not closed and ends with its TTL");
}
