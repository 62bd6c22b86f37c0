/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/conversation004.h"

#include <openssl/crypto.h>

#include "keys/exchange004.h"

enum { BEGIN_MS = 50, REQUESTS_MAX_BYTES = 65536 };

enum phase { CONNECTING, OPENING, OVER };

struct conversation004 {
    struct client004 *client;
    struct etsi004_open open;
    size_t number, taken;
    enum phase phase; /* conversation004_advance is its writer */
    bool clean;       /* nothing is under way on the connection */
    struct kept_connection *kept;
    struct status refusal; /* the first one */
};

struct conversation004 *conversation004_begin(struct client004 *client,
                                              const struct etsi004_open *open, size_t number,
                                              struct status *status)
{
    struct conversation004 *conversation = OPENSSL_zalloc(sizeof(*conversation));
    struct deadline deadline = deadline_in_ms(BEGIN_MS);

    if (conversation == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for streams ahead of need");
        return NULL;
    }
    conversation->client = client;
    conversation->open = *open;
    conversation->number =
        number < CONVERSATION004_STREAMS_MAX ? number : CONVERSATION004_STREAMS_MAX;
    conversation->phase = CONNECTING;
    conversation->kept =
        connection_pool_begin(client004_connections(client), number == 0, &deadline, status);
    if (conversation->kept == NULL) {
        OPENSSL_free(conversation);
        return NULL;
    }
    return conversation;
}

static bool send_opens(struct conversation004 *conversation, struct status *status)
{
    enum etsi004_profile profile = client004_profile(conversation->client);
    struct deadline now = deadline_in_ms(0);
    struct buf requests;
    bool ok;

    buf_init(&requests, REQUESTS_MAX_BYTES);
    for (size_t i = 0; i < conversation->number; i++)
        etsi004_open_put(&requests, profile, &conversation->open);
    ok = !requests.failed || status_fail(status, OUTCOME_INTERNAL, "out of memory for %zu requests",
                                         conversation->number);
    ok = ok && connection_send(conversation->kept->connection, requests.data, requests.length, &now,
                               status);
    buf_free(&requests);
    conversation->phase = ok && conversation->number > 0 ? OPENING : OVER;
    conversation->clean =
        ok && conversation->number == 0 && client004_keeps_connections(conversation->client);
    return ok;
}

struct listener {
    struct conversation004 *conversation;
    opened_fn *opened;
    void *argument;
};

static bool take_answer(void *argument, size_t place, const struct etsi004_frame *frame,
                        struct status *status)
{
    const struct listener *listener = argument;
    struct conversation004 *conversation = listener->conversation;
    struct etsi004_open_answer answer;

    (void)place;
    if (frame->service != ETSI004_OPEN_CONNECT_ANSWER)
        return status_fail(status, OUTCOME_KME,
                           "it answered OPEN_CONNECT with a message of type 0x%02x",
                           frame->service);
    if (!etsi004_open_answer_parse(frame, client004_profile(conversation->client), &answer, status))
        return false;
    listener->opened(listener->argument, &answer, &conversation->refusal);
    return true;
}

static bool step(struct conversation004 *conversation, const struct deadline *deadline,
                 const struct listener *listener, struct status *status)
{
    if (conversation->phase == CONNECTING)
        return connection_pool_advance(client004_connections(conversation->client),
                                       conversation->kept, deadline, status) &&
               send_opens(conversation, status);
    if (!exchange004_read(conversation->kept, conversation->number, &conversation->taken,
                          take_answer, (void *)(uintptr_t)listener, deadline, status))
        return false;
    conversation->phase = OVER;
    conversation->clean = true;
    return true;
}

enum conversation_state conversation004_advance(struct conversation004 *conversation,
                                                const struct deadline *deadline, opened_fn *opened,
                                                void *argument, struct status *status)
{
    struct listener listener = {conversation, opened, argument};

    while (conversation->phase != OVER) {
        enum phase before = conversation->phase;

        if (step(conversation, deadline, &listener, status))
            continue;
        if (status->outcome == OUTCOME_TIMEOUT && conversation->phase == before) {
            status_clear(status);
            return CONVERSATION_OPEN;
        }
        conversation->phase = OVER;
        endpoint_blame(client004_endpoint(conversation->client), status);
        return CONVERSATION_FAILED;
    }
    if (conversation->refusal.outcome == OUTCOME_OK)
        return CONVERSATION_DONE;
    status_fail(status, conversation->refusal.outcome, "%s", conversation->refusal.text);
    return CONVERSATION_FAILED;
}

uint64_t conversation004_progress(const struct conversation004 *conversation)
{
    return connection_progress(conversation->kept->connection);
}

void conversation004_end(struct conversation004 *conversation)
{
    if (conversation == NULL)
        return;
    if (conversation->clean)
        exchange004_give_back(client004_connections(conversation->client), conversation->kept);
    else
        kept_connection_drop(conversation->kept);
    OPENSSL_free(conversation);
}

void conversation004_abandon(struct conversation004 *conversation)
{
    kept_connection_abandon(conversation->kept);
    OPENSSL_free(conversation);
}
