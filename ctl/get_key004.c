/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/get_key.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "ctl/command.h"
#include "ctl/stream004.h"

enum {
    STREAM_TTL_S = 2 * TIMEOUT_MS_MAX / 1000, /* of what a killed get-key leaves behind */
    PAUSE_MS = 20
};

static int64_t first_index(const struct get_key_options *options)
{
    return options->index != GET_KEY_NO_INDEX ? options->index : 0;
}

static int64_t chunk_count(const struct get_key_options *options)
{
    return options->number != 0 ? options->number : 1;
}

bool get_key004_check(const struct get_key_options *options, struct status *status)
{
    if (options->id_count > 1)
        return status_fail(status, OUTCOME_INPUT,
                           "--key-id has %zu IDs: with ETSI 004 it names one stream, and --number "
                           "says how many keys of it",
                           options->id_count);
    if (options->size_bits % 8 != 0)
        return status_fail(status, OUTCOME_INPUT, "--size-bits %" PRId64 " is not a multiple of 8",
                           options->size_bits);
    if (first_index(options) + chunk_count(options) - 1 > UINT32_MAX)
        return status_fail(status, OUTCOME_INPUT, "--index and --number go beyond index %" PRIu32,
                           UINT32_MAX);
    return true;
}

static bool open_stream(const struct get_key_options *options, struct kme_session *session,
                        struct etsi004_open_answer *stream, struct status *status)
{
    const struct stream004_wish wish = {
        .stream_id = options->key_ids != NULL ? &options->ids[0] : NULL,
        .key_chunk_size_bytes =
            (uint32_t)(options->size_bits != 0 ? options->size_bits : GET_KEY_BITS_DEFAULT) / 8,
        /* A call that waits in vain leaves time for hearing so. */
        .timeout_ms = (uint32_t)settings_timeout_ms(session->settings) / 2,
        .ttl_s = STREAM_TTL_S,
    };

    return stream004_open(session, &wish, stream, status) &&
           stream004_is_open(session, stream, status);
}

/* Who joins gets what the stream was opened with, and need not say a size. */
static bool check_stream(const struct get_key_options *options, const struct kme_session *session,
                         const struct etsi004_open_answer *stream, struct status *status)
{
    uint64_t granted_bits = (uint64_t)stream->qos.key_chunk_size_bytes * 8;

    if (options->key_ids != NULL && !key_id_equal(&stream->stream_id, &options->ids[0]))
        return status_fail(status, OUTCOME_KME, "KME %s opened another stream than was named",
                           settings_kme(session->settings));
    if (granted_bits == 0 || granted_bits > ETSI004_CHUNK_MAX_BYTES * 8)
        return status_fail(status, OUTCOME_KME, "KME %s grants keys of %" PRIu64 " bits",
                           settings_kme(session->settings), granted_bits);
    if (options->size_bits != 0 && (uint64_t)options->size_bits != granted_bits)
        return status_fail(status, OUTCOME_KME,
                           "KME %s grants keys of %" PRIu64 " bits instead of %" PRId64,
                           settings_kme(session->settings), granted_bits, options->size_bits);
    return true;
}

/* The peer needs it while we wait. With --json standard output is one document. */
static void announce(const struct get_key_options *options, const struct key_id *stream_id)
{
    FILE *out = options->json ? stderr : stdout;
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(stream_id, id);
    fprintf(out, "Key_stream_ID %s (tell the peer: qkdctl get-key --key-id %s)\n", id, id);
    fflush(out);
}

/* What passes: the peer or the key may be on its way. */
static bool may_pass(enum etsi004_outcome outcome)
{
    return outcome == ETSI004_PEER_NOT_CONNECTED || outcome == ETSI004_INSUFFICIENT_KEY ||
           outcome == ETSI004_TIMEOUT;
}

/* GET_KEY, asked again for as long as another call of the same length can be waited for. A refusal
 * tells more than that there was no time for another one. */
static bool ask_for_key(struct kme_session *session, struct call004 *call, struct status *status)
{
    struct etsi004_key_answer *got = call->answer.get_key;
    enum etsi004_outcome refusal = ETSI004_SUCCESS;

    for (;;) {
        int before_ms = deadline_left_ms(&session->deadline), left_ms;

        if (!client004_call(session->client004, call, 1, REPEAT_NEVER, &session->deadline,
                            status)) {
            if (refusal == ETSI004_SUCCESS || status->outcome != OUTCOME_TIMEOUT)
                return false;
            status_clear(status);
            *got = (struct etsi004_key_answer){.outcome = refusal};
            return true;
        }
        left_ms = deadline_left_ms(&session->deadline);
        if (!may_pass(got->outcome) || left_ms <= before_ms - left_ms + PAUSE_MS)
            return true;
        refusal = got->outcome;
        poll(NULL, 0, PAUSE_MS);
    }
}

static bool check_answer(const struct kme_session *session,
                         const struct etsi004_open_answer *stream, int64_t index,
                         const struct etsi004_key_answer *got, struct status *status)
{
    const char *kme = settings_kme(session->settings);

    if (got->outcome != ETSI004_SUCCESS)
        return client004_refused(session->client004, "GET_KEY", got->outcome, status);
    if (got->index != index)
        return status_fail(status, OUTCOME_KME,
                           "KME %s answered index %" PRId64 " with index %" PRIu32, kme, index,
                           got->index);
    if (got->key->size_bytes != stream->qos.key_chunk_size_bytes)
        return status_fail(status, OUTCOME_KME,
                           "KME %s granted keys of %" PRIu32 " octets and answered with %zu", kme,
                           stream->qos.key_chunk_size_bytes, got->key->size_bytes);
    return true;
}

static bool read_key(struct kme_session *session, const struct etsi004_open_answer *stream,
                     int64_t index, struct got_keys *keys, struct status *status)
{
    struct call004 call = {.kind = CALL004_GET_KEY};
    struct etsi004_key_answer got = {0};

    call.request.get_key = (struct etsi004_get_key){stream->stream_id, (uint32_t)index,
                                                    client004_metadata_bytes(session->client004)};
    call.answer.get_key = &got;
    if (!ask_for_key(session, &call, status) ||
        !check_answer(session, stream, index, &got, status)) {
        secret_free(got.key);
        return status_prefix(status, "index %" PRId64, index);
    }
    keys->keys[keys->count++] = (struct got_key){stream->stream_id, index, got.key};
    return true;
}

bool get_key004(const struct get_key_options *options, struct kme_session *session,
                struct got_keys *keys, struct status *status)
{
    int64_t index = first_index(options), end = index + chunk_count(options);
    struct status closing = STATUS_INIT;
    struct etsi004_open_answer stream;
    bool ok;

    if (!open_stream(options, session, &stream, status))
        return false;
    ok = check_stream(options, session, &stream, status);
    if (ok && options->key_ids == NULL)
        announce(options, &stream.stream_id);
    for (; ok && index < end; index++)
        ok = read_key(session, &stream, index, keys, status);
    /* Of no consequence for keys that are there. */
    if (!stream004_close(session, &stream.stream_id, &closing) && ok)
        command_failed(&closing);
    return ok;
}
