/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ETSI 004 as a source of keys: one stream a key, index 0. Round trips: one to reserve, one to
 * collect, one to claim, where OPEN_CONNECT and GET_KEY travel together. CLOSE waits for nothing.
 */
#include <stdio.h>

#include <openssl/crypto.h>

#include "keys/conversation004.h"
#include "keys/retry.h"
#include "keys/source_ops.h"

enum {
    STREAM_TTL_S = 60,
    /* How long a claim waits for a stream that its peer may have opened a moment ago. */
    JOIN_WAIT_MS = RETRY_WINDOW_MS
};

struct source004 {
    struct client004 *client;
    const struct settings *settings; /* borrowed */
    const char *kme;                 /* URL; borrowed */
};

/* What one exchange needs; too large for the stacks of asynchronous jobs. */
struct work {
    struct etsi004_open open;
    struct etsi004_open_answer opened;
    struct etsi004_key_answer got;
};

static void *open004(const struct settings *settings, size_t place, const struct log *log)
{
    struct source004 *source = OPENSSL_zalloc(sizeof(*source));

    if (source == NULL)
        return NULL;
    source->settings = settings;
    source->kme = settings_kme_url(settings, place);
    source->client = client004_new(settings_kme_endpoint(settings, place),
                                   settings_etsi004_dialect(settings), log);
    if (source->client == NULL) {
        OPENSSL_free(source);
        return NULL;
    }
    return source;
}

static void close004(void *state)
{
    struct source004 *source = state;

    client004_free(source->client);
    OPENSSL_free(source);
}

static bool prepare004(void *state, const struct deadline *deadline, struct status *status)
{
    struct source004 *source = state;

    return client004_prepare(source->client, deadline, status);
}

/* A stream that waits for its use lives longer than its key is kept at hand. */
static uint32_t ttl_s(const struct source004 *source)
{
    int kept_s = settings_number(source->settings, SETTING_POOL) > 1
                     ? settings_number(source->settings, SETTING_POOL_MAX_AGE_S)
                     : 0;

    return (uint32_t)(kept_s + STREAM_TTL_S);
}

static void fill_open(const struct source004 *source, uint32_t timeout_ms,
                      struct etsi004_open *open)
{
    struct etsi004_qos *qos = &open->qos;

    qos->key_chunk_size_bytes = SOURCE_KEY_BYTES;
    qos->timeout_ms = timeout_ms;
    qos->ttl_s = ttl_s(source);
    snprintf(open->source, sizeof(open->source), "%s", settings_source_uri(source->settings));
    snprintf(open->destination, sizeof(open->destination), "%s",
             settings_destination_uri(source->settings));
    /* A key server that insists on metadata insists on its type, too. */
    if (client004_metadata_bytes(source->client) > 0)
        snprintf(qos->metadata_mimetype, sizeof(qos->metadata_mimetype), "application/json");
}

static struct work *new_work(const struct source004 *source, uint32_t timeout_ms,
                             struct status *status)
{
    struct work *work = OPENSSL_zalloc(sizeof(*work));

    if (work == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for a key stream");
        return NULL;
    }
    fill_open(source, timeout_ms, &work->open);
    return work;
}

static void free_work(struct work *work)
{
    if (work == NULL)
        return;
    secret_free(work->got.key);
    OPENSSL_clear_free(work, sizeof(*work));
}

static bool check_opened(const struct source004 *source, const struct etsi004_open_answer *opened,
                         struct status *status)
{
    if (!client004_is_open(source->client, opened))
        return client004_refused(source->client, "OPEN_CONNECT", opened->outcome, status);
    if (key_id_is_zero(&opened->stream_id))
        return status_fail(status, OUTCOME_KME, "KME %s opened a stream with the ID of zeros",
                           source->kme);
    if (opened->qos.key_chunk_size_bytes != SOURCE_KEY_BYTES)
        return status_fail(status, OUTCOME_KME, "KME %s grants chunks of %u octets instead of %d",
                           source->kme, (unsigned)opened->qos.key_chunk_size_bytes,
                           SOURCE_KEY_BYTES);
    return true;
}

static bool check_key(const struct source004 *source, const struct work *work,
                      struct status *status)
{
    static const uint8_t zeros[SOURCE_KEY_BYTES];
    const struct etsi004_key_answer *got = &work->got;
    const char *kme = source->kme;

    if (got->outcome != ETSI004_SUCCESS)
        return client004_refused(source->client, "GET_KEY", got->outcome, status);
    if (got->index != 0)
        return status_fail(status, OUTCOME_KME, "KME %s answered index 0 with index %u", kme,
                           (unsigned)got->index);
    if (got->key->size_bytes != SOURCE_KEY_BYTES)
        return status_fail(status, OUTCOME_KME, "KME %s answered with %zu octets instead of %d",
                           kme, got->key->size_bytes, SOURCE_KEY_BYTES);
    /* What some servers hand out before their first key has come. */
    if (CRYPTO_memcmp(got->key->bytes, zeros, sizeof(zeros)) == 0)
        return status_fail(status, OUTCOME_KME, "KME %s answered with a key of zeros", kme);
    return true;
}

static struct secret *take_key(struct work *work)
{
    struct secret *key = work->got.key;

    work->got.key = NULL;
    return key;
}

/* A stream that was opened otherwise than asked for is of no use, and is closed. */
static bool check_reserved(struct source004 *source, const struct etsi004_open_answer *opened,
                           struct status *status)
{
    if (check_opened(source, opened, status))
        return true;
    if (client004_is_open(source->client, opened))
        client004_post_close(source->client, &opened->stream_id);
    return false;
}

static bool reserve004(void *state, const struct deadline *deadline, struct key_ref *ref,
                       struct secret **key, struct status *status)
{
    struct source004 *source = state;
    uint32_t timeout_ms = (uint32_t)settings_timeout_ms(source->settings);
    struct work *work = new_work(source, timeout_ms, status);
    struct call004 call = {.kind = CALL004_OPEN_CONNECT};
    bool ok = work != NULL;

    if (ok) {
        call.request.open = &work->open;
        call.answer.open = &work->opened;
        ok = client004_call(source->client, &call, 1, REPEAT_NEVER, deadline, status) &&
             check_reserved(source, &work->opened, status);
    }
    if (ok) {
        *ref = (struct key_ref){.kind = KEY_REF_ETSI004, .id = work->opened.stream_id};
        *key = NULL; /* read when it is collected */
    }
    free_work(work);
    return ok;
}

static void abandon004(void *state, const struct key_ref *ref)
{
    struct source004 *source = state;

    client004_post_close(source->client, &ref->id);
}

static struct call004 get_key_call(const struct source004 *source, const struct key_ref *ref,
                                   struct work *work)
{
    struct call004 call = {.kind = CALL004_GET_KEY};

    call.request.get_key =
        (struct etsi004_get_key){ref->id, ref->index, client004_metadata_bytes(source->client)};
    call.answer.get_key = &work->got;
    return call;
}

/* What passes: the peer's end, or the key, may be on its way between the key servers. */
static bool may_pass(enum etsi004_outcome outcome)
{
    return outcome == ETSI004_PEER_NOT_CONNECTED || outcome == ETSI004_INSUFFICIENT_KEY;
}

/* A key server that insists on metadata says how much; it is asked again with that much room,
 * once. */
static bool make_room(struct call004 *call, const struct etsi004_key_answer *got)
{
    uint32_t *room = &call->request.get_key.metadata_bytes;

    if (got->outcome != ETSI004_METADATA_TOO_SMALL || got->metadata_bytes <= *room ||
        got->metadata_bytes > ETSI004_METADATA_MAX_BYTES || *room != 0)
        return false;
    *room = got->metadata_bytes;
    return true;
}

static bool get_with_retries(struct source004 *source, const struct key_ref *ref,
                             const struct deadline *deadline, struct work *work,
                             struct status *status)
{
    struct call004 call = get_key_call(source, ref, work);
    struct retry retry = retry_begin();

    do {
        if (!client004_call(source->client, &call, 1, REPEAT_ONCE, deadline, status))
            return false;
    } while (make_room(&call, &work->got) ||
             (may_pass(work->got.outcome) && retry_pause(&retry, deadline)));
    return check_key(source, work, status);
}

static bool collect004(void *state, const struct key_ref *ref, const struct deadline *deadline,
                       struct secret **key, struct status *status)
{
    struct source004 *source = state;
    struct work *work = OPENSSL_zalloc(sizeof(*work));
    bool ok = work != NULL || status_fail(status, OUTCOME_INTERNAL, "out of memory for a key");

    ok = ok && get_with_retries(source, ref, deadline, work, status);
    if (ok)
        *key = take_key(work);
    client004_post_close(source->client, &ref->id);
    free_work(work);
    return ok;
}

static bool join_and_get(struct source004 *source, const struct key_ref *ref,
                         const struct deadline *deadline, struct work *work, struct status *status)
{
    struct call004 calls[2] = {{.kind = CALL004_OPEN_CONNECT}, get_key_call(source, ref, work)};

    calls[0].request.open = &work->open;
    calls[0].answer.open = &work->opened;
    work->open.stream_id = ref->id;
    if (!client004_call(source->client, calls, 2, REPEAT_ONCE, deadline, status) ||
        !check_opened(source, &work->opened, status))
        return false;
    /* A stream that was joined, whose key was not there at once or is there for another asking. */
    if (work->opened.outcome == ETSI004_SUCCESS &&
        (may_pass(work->got.outcome) || work->got.outcome == ETSI004_METADATA_TOO_SMALL))
        return get_with_retries(source, ref, deadline, work, status);
    return check_key(source, work, status);
}

static bool claim004(void *state, const struct key_ref *ref, const struct deadline *deadline,
                     struct secret **key, struct status *status)
{
    struct source004 *source = state;
    struct work *work = new_work(source, JOIN_WAIT_MS, status);
    bool ok = work != NULL && join_and_get(source, ref, deadline, work, status);

    if (ok)
        *key = take_key(work);
    /* Not a stream that we were refused: it may be one of our own, whose ID a stranger repeated.
     * Without an answer this is SUCCESS. */
    if (work != NULL && client004_is_open(source->client, &work->opened))
        client004_post_close(source->client, &ref->id);
    free_work(work);
    return ok;
}

static void *begin004(void *state, size_t number, struct status *status)
{
    struct source004 *source = state;
    struct work *work = new_work(source, (uint32_t)settings_timeout_ms(source->settings), status);
    struct conversation004 *conversation = NULL;

    if (work != NULL)
        conversation = conversation004_begin(source->client, &work->open, number, status);
    free_work(work);
    return conversation;
}

struct opening {
    struct source004 *source;
    const struct taker *taker;
};

static bool take_opened(void *argument, const struct etsi004_open_answer *answer,
                        struct status *status)
{
    const struct opening *opening = argument;
    struct key_ref ref = {.kind = KEY_REF_ETSI004, .id = answer->stream_id};

    if (!check_reserved(opening->source, answer, status))
        return false;
    opening->taker->take(opening->taker->argument, &ref, NULL);
    return true;
}

static enum conversation_state advance004(void *state, void *conversation,
                                          const struct deadline *deadline,
                                          const struct taker *taker, struct status *status)
{
    struct opening opening = {state, taker};

    return conversation004_advance(conversation, deadline, take_opened, &opening, status);
}

static uint64_t progress004(const void *conversation)
{
    return conversation004_progress(conversation);
}

static void end004(void *conversation)
{
    conversation004_end(conversation);
}

static void abandon_conversation004(void *conversation)
{
    conversation004_abandon(conversation);
}

const struct source_ops source004_ops = {
    .ref_kind = KEY_REF_ETSI004,
    .asks_again = false,
    .open = open004,
    .close = close004,
    .prepare = prepare004,
    .reserve = reserve004,
    .abandon = abandon004,
    .collect = collect004,
    .claim = claim004,
    .begin = begin004,
    .advance = advance004,
    .progress = progress004,
    .end = end004,
    .abandon_conversation = abandon_conversation004,
};
