/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/client014.h"

#include <stdatomic.h>

#include <openssl/crypto.h>

#include "keys/exchange014.h"

enum {
    ANSWER_MAX_BYTES = 4096, /* of an answer that holds no keys, and the room around those */
    KEY_ENTRY_BYTES = 1024   /* room for one key beside its base64 text */
};

struct client014 {
    struct endpoint *endpoint;
    struct connection_pool *pool;
    atomic_size_t keys_per_request;
};

struct client014 *client014_new(struct endpoint *endpoint, const struct log *log)
{
    struct client014 *client = OPENSSL_zalloc(sizeof(*client));

    if (client == NULL)
        return NULL;
    client->endpoint = endpoint;
    atomic_init(&client->keys_per_request, 0);
    client->pool = connection_pool_new(endpoint, log);
    if (client->pool == NULL) {
        OPENSSL_free(client);
        return NULL;
    }
    return client;
}

void client014_free(struct client014 *client)
{
    if (client == NULL)
        return;
    connection_pool_free(client->pool);
    OPENSSL_free(client);
}

static const struct endpoint_address *address_of(const struct client014 *client)
{
    return endpoint_address(client->endpoint);
}

bool client014_prepare(struct client014 *client, const struct deadline *deadline,
                       struct status *status)
{
    return connection_pool_prepare(client->pool, deadline, status) ||
           endpoint_blame(client->endpoint, status);
}

static const enum outcome outcome_of_refusal[] = {
    [ETSI014_REFUSED_NOT_FOUND] = OUTCOME_PEER,   [ETSI014_REFUSED_EXHAUSTED] = OUTCOME_EXHAUSTED,
    [ETSI014_REFUSED_UNAUTHORISED] = OUTCOME_KME, [ETSI014_REFUSED_REQUEST] = OUTCOME_KME,
    [ETSI014_REFUSED_SERVER] = OUTCOME_KME,
};

/* What to look into, where the answer alone does not tell. */
static const char *const hints[] = {
    [ETSI014_REFUSED_NOT_FOUND] = "",
    [ETSI014_REFUSED_EXHAUSTED] = "",
    [ETSI014_REFUSED_UNAUTHORISED] =
        ": it does not know our certificate as an SAE, or the key is not for us",
    [ETSI014_REFUSED_REQUEST] = "",
    [ETSI014_REFUSED_SERVER] = "",
};

static bool judge(enum etsi014_method method, const struct http_response *response,
                  enum etsi014_refusal *refusal, struct status *status)
{
    char message[ETSI014_MESSAGE_MAX_CHARS + 1];
    enum etsi014_refusal found;

    if (response->code == 200)
        return true;
    found = etsi014_refusal_classify(method, response->code, response->body.data,
                                     response->body.length, message);
    if (refusal != NULL)
        *refusal = found;
    return status_fail(status, outcome_of_refusal[found], "it answered HTTP %d%s%s%s%s",
                       response->code, message[0] != '\0' ? " \"" : "", message,
                       message[0] != '\0' ? "\"" : " without a message", hints[found]);
}

static bool put_request(struct client014 *client, const char *peer_sae, enum etsi014_method method,
                        const struct buf *body, struct buf *request, struct status *status)
{
    struct buf path;

    buf_init(&path, ETSI014_PATH_MAX_CHARS + 1);
    etsi014_put_path(&path, peer_sae, method);
    buf_put_u8(&path, '\0');
    if (!path.failed && (body == NULL || !body->failed))
        http_put_request(request, address_of(client)->host, address_of(client)->port,
                         (const char *)path.data, body);
    else
        request->failed = true;
    buf_free(&path);
    return !request->failed ||
           status_fail(status, OUTCOME_INTERNAL, "no memory, or too long a request, for peer '%s'",
                       peer_sae);
}

/* The caller frees the response in any case. */
static bool call(struct client014 *client, enum etsi014_method method, const struct buf *request,
                 enum repeatable repeatable, const struct deadline *deadline,
                 struct http_response *response, enum etsi014_refusal *refusal,
                 struct status *status)
{
    return exchange014(client->pool, request, repeatable, deadline, response, status) &&
           judge(method, response, refusal, status);
}

struct connection_pool *client014_connections(struct client014 *client)
{
    return client->pool;
}

struct endpoint *client014_endpoint(const struct client014 *client)
{
    return client->endpoint;
}

size_t client014_keys_per_request(const struct client014 *client)
{
    return atomic_load(&client->keys_per_request);
}

void client014_set_keys_per_request(struct client014 *client, size_t number)
{
    atomic_store(&client->keys_per_request, number);
}

bool client014_put_get_status(struct client014 *client, const char *peer_sae, struct buf *request,
                              struct status *status)
{
    return put_request(client, peer_sae, ETSI014_GET_STATUS, NULL, request, status);
}

bool client014_take_status(const struct http_response *response, struct etsi014_status *value,
                           struct status *status)
{
    return judge(ETSI014_GET_STATUS, response, NULL, status) &&
           etsi014_status_parse(response->body.data, response->body.length, value, status);
}

bool client014_get_status(struct client014 *client, const char *peer_sae,
                          const struct deadline *deadline, struct etsi014_status *value,
                          struct status *status)
{
    struct http_response response;
    struct buf request;
    bool ok;

    buf_init(&request, CLIENT014_REQUEST_MAX_BYTES);
    http_response_init(&response, ANSWER_MAX_BYTES);
    ok = (client014_put_get_status(client, peer_sae, &request, status) &&
          call(client, ETSI014_GET_STATUS, &request, REPEAT_ONCE, deadline, &response, NULL,
               status) &&
          client014_take_status(&response, value, status)) ||
         endpoint_blame(client->endpoint, status);
    http_response_free(&response);
    buf_free(&request);
    return ok;
}

size_t client014_answer_max_bytes(size_t number)
{
    return ANSWER_MAX_BYTES + number * (KEY_ENTRY_BYTES + (size_t)SECRET_MAX_BYTES * 4 / 3);
}

static bool check_keys(const struct etsi014_container *container, int64_t size_bits,
                       struct status *status)
{
    for (size_t i = 0; i < container->count; i++) {
        size_t got_bytes = container->keys[i].key->size_bytes;

        if (key_id_is_zero(&container->keys[i].id))
            return status_fail(status, OUTCOME_KME, "it named a key with the key_ID of zeros");
        if (size_bits != 0 && got_bytes * 8 != (size_t)size_bits)
            return status_fail(status, OUTCOME_KME,
                               "it answered with a key of %zu bits instead of %lld", got_bytes * 8,
                               (long long)size_bits);
    }
    return true;
}

static bool get_container(struct client014 *client, enum etsi014_method method,
                          const struct buf *request, size_t number, int64_t size_bits,
                          enum repeatable repeatable, const struct deadline *deadline,
                          struct etsi014_container *container, enum etsi014_refusal *refusal,
                          struct status *status)
{
    struct http_response response;
    bool ok;

    http_response_init(&response, client014_answer_max_bytes(number));
    ok = call(client, method, request, repeatable, deadline, &response, refusal, status) &&
         etsi014_container_parse((char *)response.body.data, response.body.length, container,
                                 status);
    if (ok && container->count != number)
        ok = status_fail(status, OUTCOME_KME, "it answered with %zu keys instead of %zu",
                         container->count, number);
    http_response_free(&response);
    return ok && check_keys(container, size_bits, status);
}

bool client014_take_keys(const struct http_response *response, int64_t size_bits,
                         struct etsi014_container *container, struct status *status)
{
    bool ok;

    container->count = 0;
    ok = judge(ETSI014_GET_KEY, response, NULL, status) &&
         etsi014_container_parse((char *)response->body.data, response->body.length, container,
                                 status) &&
         check_keys(container, size_bits, status);

    if (ok && container->count == 0)
        ok = status_fail(status, OUTCOME_KME, "it answered without a key");
    if (!ok)
        etsi014_container_free(container);
    return ok;
}

bool client014_put_get_key(struct client014 *client, const char *peer_sae, size_t number,
                           int64_t size_bits, struct buf *request, struct status *status)
{
    struct buf body;
    bool ok;

    buf_init(&body, CLIENT014_REQUEST_MAX_BYTES);
    etsi014_key_request_put(&body, (int64_t)number, size_bits);
    ok = put_request(client, peer_sae, ETSI014_GET_KEY, &body, request, status);
    buf_free(&body);
    return ok;
}

bool client014_get_key(struct client014 *client, const char *peer_sae, size_t number,
                       int64_t size_bits, const struct deadline *deadline,
                       struct etsi014_container *container, enum etsi014_refusal *refusal,
                       struct status *status)
{
    struct buf request;
    bool ok;

    container->count = 0;
    buf_init(&request, CLIENT014_REQUEST_MAX_BYTES);
    ok = (client014_put_get_key(client, peer_sae, number, size_bits, &request, status) &&
          get_container(client, ETSI014_GET_KEY, &request, number, size_bits, REPEAT_NEVER,
                        deadline, container, refusal, status)) ||
         endpoint_blame(client->endpoint, status);
    buf_free(&request);
    if (!ok)
        etsi014_container_free(container);
    return ok;
}

/* Servers answer in any order; afterwards keys[i] is the one of ids[i]. */
static bool sort_by_request(struct etsi014_container *container, const struct key_id *ids,
                            struct status *status)
{
    for (size_t i = 0; i < container->count; i++) {
        size_t found = i;
        struct etsi014_key swapped;
        char text[KEY_ID_TEXT_CHARS + 1];

        while (found < container->count && !key_id_equal(&container->keys[found].id, &ids[i]))
            found++;
        if (found == container->count) {
            key_id_format(&ids[i], text);
            return status_fail(status, OUTCOME_KME, "its answer lacks key_ID %s", text);
        }
        swapped = container->keys[i];
        container->keys[i] = container->keys[found];
        container->keys[found] = swapped;
    }
    return true;
}

bool client014_get_key_ids(struct client014 *client, const char *peer_sae, const struct key_id *ids,
                           size_t count, int64_t size_bits, const struct deadline *deadline,
                           struct etsi014_container *container, enum etsi014_refusal *refusal,
                           struct status *status)
{
    struct buf body, request;
    bool ok;

    container->count = 0;
    buf_init(&body, CLIENT014_REQUEST_MAX_BYTES);
    buf_init(&request, CLIENT014_REQUEST_MAX_BYTES);
    etsi014_key_ids_put(&body, ids, count);
    /* A repeated claim is refused if the first one was served: it cannot deliver a key twice. */
    ok = (put_request(client, peer_sae, ETSI014_GET_KEY_IDS, &body, &request, status) &&
          get_container(client, ETSI014_GET_KEY_IDS, &request, count, size_bits, REPEAT_ONCE,
                        deadline, container, refusal, status) &&
          sort_by_request(container, ids, status)) ||
         endpoint_blame(client->endpoint, status);
    buf_free(&request);
    buf_free(&body);
    if (!ok)
        etsi014_container_free(container);
    return ok;
}
