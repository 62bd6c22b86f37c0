/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/client004.h"

#include <openssl/crypto.h>

#include "keys/exchange004.h"

enum { REQUESTS_MAX_BYTES = CALLS004_MAX * 8192, QUBIP_METADATA_BYTES = 1024 };

struct client004 {
    struct endpoint *endpoint;
    enum dialect004 dialect;
    enum etsi004_profile profile;
    struct connection_pool *pool;
};

struct client004 *client004_new(struct endpoint *endpoint, enum dialect004 dialect,
                                const struct log *log)
{
    struct client004 *client = OPENSSL_zalloc(sizeof(*client));

    if (client == NULL)
        return NULL;
    client->endpoint = endpoint;
    client->dialect = dialect;
    client->profile = dialect == DIALECT004_W2 ? ETSI004_W2 : ETSI004_W1;
    client->pool = connection_pool_new(endpoint, log);
    if (client->pool == NULL) {
        OPENSSL_free(client);
        return NULL;
    }
    return client;
}

void client004_free(struct client004 *client)
{
    if (client == NULL)
        return;
    connection_pool_free(client->pool);
    OPENSSL_free(client);
}

bool client004_prepare(struct client004 *client, const struct deadline *deadline,
                       struct status *status)
{
    return !client004_keeps_connections(client) ||
           connection_pool_prepare(client->pool, deadline, status) ||
           endpoint_blame(client->endpoint, status);
}

static void put_request(const struct client004 *client, const struct call004 *call,
                        struct buf *requests)
{
    switch (call->kind) {
    case CALL004_OPEN_CONNECT:
        etsi004_open_put(requests, client->profile, call->request.open);
        break;
    case CALL004_GET_KEY:
        etsi004_get_key_put(requests, client->profile, &call->request.get_key);
        break;
    case CALL004_CLOSE:
        etsi004_close_put(requests, client->profile, &call->request.close);
        break;
    }
}

struct awaited_calls {
    const struct client004 *client;
    struct call004 *calls;
};

static const struct {
    uint8_t service;
    const char *name;
} answers[] = {
    [CALL004_OPEN_CONNECT] = {ETSI004_OPEN_CONNECT_ANSWER, "OPEN_CONNECT"},
    [CALL004_GET_KEY] = {ETSI004_GET_KEY_ANSWER, "GET_KEY"},
    [CALL004_CLOSE] = {ETSI004_CLOSE_ANSWER, "CLOSE"},
};

static bool take_answer(void *argument, size_t place, const struct etsi004_frame *frame,
                        struct status *status)
{
    const struct awaited_calls *awaited = argument;
    struct call004 *call = &awaited->calls[place];
    enum etsi004_profile profile = awaited->client->profile;
    enum etsi004_outcome ignored;

    if (frame->service != answers[call->kind].service)
        return status_fail(status, OUTCOME_KME, "it answered %s with a message of type 0x%02x",
                           answers[call->kind].name, frame->service);
    switch (call->kind) {
    case CALL004_OPEN_CONNECT:
        return etsi004_open_answer_parse(frame, profile, call->answer.open, status);
    case CALL004_GET_KEY:
        return etsi004_key_answer_parse(frame, profile, call->answer.get_key, status);
    case CALL004_CLOSE:
        return etsi004_close_answer_parse(frame, profile, &ignored, status);
    }
    return false;
}

static void forget_keys(struct call004 *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (calls[i].kind != CALL004_GET_KEY)
            continue;
        secret_free(calls[i].answer.get_key->key);
        calls[i].answer.get_key->key = NULL;
    }
}

static bool call_one_by_one(struct client004 *client, struct awaited_calls *awaited, size_t count,
                            const struct deadline *deadline, struct status *status)
{
    bool ok = true;

    for (size_t i = 0; i < count && ok; i++) {
        struct buf request;

        buf_init(&request, REQUESTS_MAX_BYTES);
        put_request(client, &awaited->calls[i], &request);
        ok =
            !request.failed || status_fail(status, OUTCOME_INTERNAL, "out of memory for a request");
        ok = ok &&
             exchange004_alone(client->pool, &request, i, take_answer, awaited, deadline, status);
        buf_free(&request);
    }
    return ok;
}

static bool call_together(struct client004 *client, struct awaited_calls *awaited, size_t count,
                          enum repeatable repeatable, const struct deadline *deadline,
                          struct status *status)
{
    struct buf requests;
    bool ok;

    buf_init(&requests, REQUESTS_MAX_BYTES);
    for (size_t i = 0; i < count; i++)
        put_request(client, &awaited->calls[i], &requests);
    ok = !requests.failed ||
         status_fail(status, OUTCOME_INTERNAL, "out of memory for %zu requests", count);
    ok = ok && exchange004(client->pool, &requests, count, repeatable, take_answer, awaited,
                           deadline, status);
    buf_free(&requests);
    return ok;
}

bool client004_call(struct client004 *client, struct call004 *calls, size_t count,
                    enum repeatable repeatable, const struct deadline *deadline,
                    struct status *status)
{
    struct awaited_calls argument = {client, calls};
    bool ok;

    for (size_t i = 0; i < count; i++)
        if (calls[i].kind == CALL004_GET_KEY)
            calls[i].answer.get_key->key = NULL;
    ok = !client004_keeps_connections(client)
             ? call_one_by_one(client, &argument, count, deadline, status)
             : call_together(client, &argument, count, repeatable, deadline, status);
    if (ok)
        return true;
    forget_keys(calls, count);
    return endpoint_blame(client->endpoint, status);
}

void client004_post_close(struct client004 *client, const struct key_id *stream_id)
{
    struct buf request;

    buf_init(&request, REQUESTS_MAX_BYTES);
    etsi004_close_put(&request, client->profile, stream_id);
    if (!request.failed)
        exchange004_post_close(client->pool, &request);
    buf_free(&request);
}

static const enum outcome outcomes[ETSI004_OUTCOME_COUNT] = {
    [ETSI004_SUCCESS] = OUTCOME_KME,
    [ETSI004_PEER_NOT_YET_CONNECTED] = OUTCOME_PEER,
    [ETSI004_INSUFFICIENT_KEY] = OUTCOME_EXHAUSTED,
    [ETSI004_PEER_NOT_CONNECTED] = OUTCOME_PEER,
    [ETSI004_NO_QKD_CONNECTION] = OUTCOME_KME,
    [ETSI004_IN_USE] = OUTCOME_PEER,
    [ETSI004_TIMEOUT] = OUTCOME_TIMEOUT,
    [ETSI004_QOS_NOT_MET] = OUTCOME_KME,
    [ETSI004_METADATA_TOO_SMALL] = OUTCOME_KME,
};

bool client004_refused(const struct client004 *client, const char *function,
                       enum etsi004_outcome outcome, struct status *status)
{
    status_fail(status, outcomes[outcome], "it refused %s: %s", function,
                etsi004_outcome_text(outcome));
    return endpoint_blame(client->endpoint, status);
}

bool client004_is_open(const struct client004 *client, const struct etsi004_open_answer *answer)
{
    switch (answer->outcome) {
    case ETSI004_SUCCESS:
    case ETSI004_PEER_NOT_YET_CONNECTED:
        return true;
    case ETSI004_QOS_NOT_MET:
        return client->dialect == DIALECT004_QUBIP && !key_id_is_zero(&answer->stream_id);
    default:
        return false;
    }
}

uint32_t client004_metadata_bytes(const struct client004 *client)
{
    return client->dialect == DIALECT004_QUBIP ? QUBIP_METADATA_BYTES : 0;
}

struct connection_pool *client004_connections(struct client004 *client)
{
    return client->pool;
}

struct endpoint *client004_endpoint(const struct client004 *client)
{
    return client->endpoint;
}

enum etsi004_profile client004_profile(const struct client004 *client)
{
    return client->profile;
}

bool client004_keeps_connections(const struct client004 *client)
{
    return client->dialect != DIALECT004_W2;
}
