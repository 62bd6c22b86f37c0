/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/conversation014.h"

#include <openssl/crypto.h>

#include "keys/exchange014.h"

/* Names of key servers are nearly always in the hosts file, in a cache nearby, or numbers. */
enum { BEGIN_MS = 50 };

enum phase { CONNECTING, ASKING_STATUS, ASKING_KEYS, OVER };

struct conversation014 {
    struct client014 *client;
    const char *peer_sae;
    size_t number;
    int64_t size_bits;
    enum phase phase; /* conversation014_advance is its writer */
    struct kept_connection *kept;
    struct http_response response;
};

struct conversation014 *conversation014_begin(struct client014 *client, const char *peer_sae,
                                              size_t number, int64_t size_bits,
                                              struct status *status)
{
    struct conversation014 *conversation = OPENSSL_zalloc(sizeof(*conversation));
    struct deadline deadline = deadline_in_ms(BEGIN_MS);

    if (conversation == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for a request ahead of need");
        return NULL;
    }
    conversation->client = client;
    conversation->peer_sae = peer_sae;
    conversation->number = number < ETSI014_KEYS_MAX ? number : ETSI014_KEYS_MAX;
    conversation->size_bits = size_bits;
    conversation->phase = CONNECTING;
    http_response_init(&conversation->response, client014_answer_max_bytes(number));
    conversation->kept =
        connection_pool_begin(client014_connections(client), false, &deadline, status);
    if (conversation->kept == NULL) {
        conversation014_end(conversation);
        return NULL;
    }
    return conversation;
}

static bool ask(struct conversation014 *conversation, enum phase phase, struct status *status)
{
    struct client014 *client = conversation->client;
    struct deadline now = deadline_in_ms(0);
    struct buf request;
    bool ok;

    buf_init(&request, CLIENT014_REQUEST_MAX_BYTES);
    http_response_free(&conversation->response);
    http_response_init(&conversation->response, client014_answer_max_bytes(conversation->number));
    ok = (phase == ASKING_STATUS
              ? client014_put_get_status(client, conversation->peer_sae, &request, status)
              : client014_put_get_key(client, conversation->peer_sae, conversation->number,
                                      conversation->size_bits, &request, status)) &&
         exchange014_post(conversation->kept, &request, &now, status);
    buf_free(&request);
    conversation->phase = ok ? phase : OVER;
    return ok;
}

/* Fewer keys where the key server's limits say so. It may leave a limit out, which is 0. */
static void learn(struct conversation014 *conversation, const struct etsi014_status *value)
{
    int64_t most = value->max_key_per_request;

    client014_set_keys_per_request(conversation->client, most > 0 ? (size_t)most : 1);
}

static void limit(struct conversation014 *conversation)
{
    size_t most = client014_keys_per_request(conversation->client);

    if (conversation->number > most)
        conversation->number = most;
}

static bool go_on_from_connecting(struct conversation014 *conversation, struct status *status)
{
    if (conversation->number == 0 || client014_keys_per_request(conversation->client) == 0)
        return ask(conversation, ASKING_STATUS, status);
    limit(conversation);
    return ask(conversation, ASKING_KEYS, status);
}

static bool go_on_from_status(struct conversation014 *conversation, struct status *status)
{
    struct etsi014_status value;

    if (!client014_take_status(&conversation->response, &value, status))
        return false;
    learn(conversation, &value);
    if (conversation->number == 0) {
        conversation->phase = OVER;
        return true;
    }
    limit(conversation);
    return ask(conversation, ASKING_KEYS, status);
}

static bool take_keys(struct conversation014 *conversation, const struct taker *taker,
                      struct status *status)
{
    struct etsi014_container container;

    conversation->phase = OVER;
    /* It may have changed its limits. */
    if (!client014_take_keys(&conversation->response, conversation->size_bits, &container,
                             status)) {
        client014_set_keys_per_request(conversation->client, 0);
        return false;
    }
    for (size_t i = 0; i < container.count; i++) {
        struct key_ref ref = {.kind = KEY_REF_ETSI014, .id = container.keys[i].id};

        taker->take(taker->argument, &ref, container.keys[i].key);
    }
    return true;
}

/* One step; false with OUTCOME_TIMEOUT when it has to wait longer than the deadline. */
static bool step(struct conversation014 *conversation, const struct deadline *deadline,
                 const struct taker *taker, struct status *status)
{
    if (conversation->phase == CONNECTING)
        return connection_pool_advance(client014_connections(conversation->client),
                                       conversation->kept, deadline, status) &&
               go_on_from_connecting(conversation, status);
    if (exchange014_read(conversation->kept, &conversation->response, deadline, status) != ANSWERED)
        return false;
    return conversation->phase == ASKING_STATUS ? go_on_from_status(conversation, status)
                                                : take_keys(conversation, taker, status);
}

enum conversation_state conversation014_advance(struct conversation014 *conversation,
                                                const struct deadline *deadline,
                                                const struct taker *taker, struct status *status)
{
    while (conversation->phase != OVER) {
        enum phase before = conversation->phase;

        if (step(conversation, deadline, taker, status))
            continue;
        if (status->outcome == OUTCOME_TIMEOUT && conversation->phase == before) {
            status_clear(status);
            return CONVERSATION_OPEN;
        }
        conversation->phase = OVER;
        endpoint_blame(client014_endpoint(conversation->client), status);
        return CONVERSATION_FAILED;
    }
    return CONVERSATION_DONE;
}

uint64_t conversation014_progress(const struct conversation014 *conversation)
{
    return connection_progress(conversation->kept->connection);
}

void conversation014_end(struct conversation014 *conversation)
{
    struct kept_connection *kept;

    if (conversation == NULL)
        return;
    kept = conversation->kept;
    if (kept != NULL && conversation->phase == OVER &&
        conversation->response.phase == HTTP_COMPLETE &&
        exchange014_is_clean(kept, &conversation->response))
        connection_pool_put(client014_connections(conversation->client), kept);
    else if (kept != NULL)
        kept_connection_drop(kept);
    http_response_free(&conversation->response);
    OPENSSL_free(conversation);
}

void conversation014_abandon(struct conversation014 *conversation)
{
    kept_connection_abandon(conversation->kept);
    http_response_free(&conversation->response);
    OPENSSL_free(conversation);
}
