/* SPDX-License-Identifier: Apache-2.0 */
/* Get status and Get key (clauses 5.2, 5.3): the initiator's side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kme/audience014.h"
#include "kme/call014.h"
#include "kme/config.h"
#include "kme/misbehave014.h"
#include "kme/store.h"

enum { NUMBER_TEXT_BYTES = 21 };

/* The SAE in the URL must be one that we can reach, and not the caller. */
static bool find_peer(const struct call014 *call, struct peer **peer, struct etsi014_error *error)
{
    if (strcmp(call->route.sae, call->caller) == 0)
        return etsi014_refuse(error, 400, "the slave SAE in the URL is the caller itself");
    *peer = peers_of_sae(call->service->peers, call->route.sae);
    if (*peer == NULL)
        return etsi014_refuse(error, 400, "the slave SAE in the URL is unknown");
    return true;
}

static void copy_id(char to[static ETSI014_ID_MAX_CHARS + 1], const char *id)
{
    memcpy(to, id, strlen(id) + 1);
}

static void put_status(const struct call014 *call, const struct peer *peer)
{
    const struct kme_config *config = call->service->env->config;
    int64_t blocks = (int64_t)store_blocks_for((uint32_t)config->limits.default_key_bits);
    struct etsi014_status value = {
        .key_size_bits = config->limits.default_key_bits,
        .stored_key_count = (int64_t)store_available(peer->store, BLOCK_OURS) / blocks,
        .max_key_count = peer_config(call->service->env, peer)->capacity_bits / BLOCK_BITS / blocks,
        .max_key_per_request = config->limits.max_keys_per_request,
        .max_key_size_bits = config->limits.max_key_bits,
        .min_key_size_bits = config->limits.min_key_bits,
        .max_sae_id_count = config->limits.max_additional_saes,
    };

    copy_id(value.source_kme_id, config->kme_id);
    copy_id(value.target_kme_id, peer->kme_id);
    copy_id(value.master_sae_id, call->caller);
    copy_id(value.slave_sae_id, call->route.sae);
    misbehave014_status(call, &value);
    etsi014_status_put(&call->service->body, &value);
    call014_answer(call);
}

void status014(const struct call014 *call)
{
    struct etsi014_error error;
    struct peer *peer;

    if (find_peer(call, &peer, &error))
        put_status(call, peer);
    else
        call014_refuse(call, &error);
}

static bool query_number(const char *query, const char *name, int64_t *value,
                         struct etsi014_error *error)
{
    char text[NUMBER_TEXT_BYTES];
    char *end = text;

    switch (query_find(query, name, text, sizeof(text))) {
    case QUERY_ABSENT:
        return true;
    case QUERY_REPEATED:
        return etsi014_refuse(error, 400, "%s is there more than once", name);
    case QUERY_FOUND:
        if (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'))
            *value = strtoll(text, &end, 10);
        if (end != text && *end == '\0')
            return true;
        break;
    case QUERY_BAD:
        break;
    }
    return etsi014_refuse(error, 400, "%s is not an integer", name);
}

/* What the caller asks for, with our defaults where it does not say. */
static bool read_request(const struct call014 *call, struct etsi014_key_request *asked,
                         struct etsi014_error *error)
{
    const struct http_request *request = http_exchange_request(call->exchange);
    bool is_post = strcmp(request->method, "POST") == 0;
    int64_t fallback_bits = call->service->env->config->limits.default_key_bits;

    memset(asked, 0, sizeof(*asked));
    asked->number = 1;
    if (is_post) {
        if (!etsi014_key_request_parse(request->body.data, request->body.length, asked, error))
            return false;
        if (asked->size_bits == 0)
            asked->size_bits = fallback_bits;
        return true;
    }
    asked->size_bits = fallback_bits;
    return query_number(call->route.query, "number", &asked->number, error) &&
           query_number(call->route.query, "size", &asked->size_bits, error);
}

static bool refuse_extension(const char *name, struct etsi014_error *error)
{
    etsi014_refuse(error, 400, "%s", etsi014_extension_mandatory_unsupported);
    strcpy(error->detail_name, "extension_mandatory_unsupported");
    snprintf(error->detail_text, sizeof(error->detail_text), "%s is not supported", name);
    return false;
}

static bool check_request(const struct kme_config *config, const struct etsi014_key_request *asked,
                          struct etsi014_error *error)
{
    if (asked->extension_mandatory[0] != '\0')
        return refuse_extension(asked->extension_mandatory, error);
    if (asked->number < 1 || asked->number > config->limits.max_keys_per_request)
        return etsi014_refuse(error, 400, "number is outside 1 to %lld",
                              (long long)config->limits.max_keys_per_request);
    if (asked->size_bits > 0 && asked->size_bits % 8 != 0)
        return etsi014_refuse(error, 400, "%s", etsi014_size_not_multiple_of_8);
    if (asked->size_bits < config->limits.min_key_bits ||
        asked->size_bits > config->limits.max_key_bits)
        return etsi014_refuse(error, 400, "size is outside %lld to %lld",
                              (long long)config->limits.min_key_bits,
                              (long long)config->limits.max_key_bits);
    return true;
}

static bool reserve_keys(const struct call014 *call, const struct etsi014_key_request *asked,
                         const struct audience014 *audience, struct etsi014_container *container,
                         struct etsi014_error *error)
{
    struct status status = STATUS_INIT;

    for (container->count = 0; container->count < (size_t)asked->number; container->count++) {
        if (audience014_reserve(call, (uint32_t)asked->size_bits, audience,
                                &container->keys[container->count], &status))
            continue;
        container->count++; /* its key may be there */
        log_line(call->service->env->log, LOG_LEVEL_ERROR, "a reservation failed: %s", status.text);
        return etsi014_refuse(error, 503, "the key server cannot reserve keys now");
    }
    return true;
}

/* All keys or none: nothing is taken before it is known that all links have enough. */
bool reserve014_asked(const struct call014 *call, const struct etsi014_key_request *asked,
                      bool may_wait)
{
    struct audience014 audience;
    struct etsi014_container container;
    struct etsi014_error error;
    bool soon = false, reserved;

    memset(&container, 0, sizeof(container));
    reserved = audience014_find(call, asked, &audience, &error) &&
               audience014_is_served(call, asked, &audience, &soon, &error) &&
               reserve_keys(call, asked, &audience, &container, &error);
    if (!reserved && soon && may_wait)
        return false;
    if (!reserved)
        call014_refuse(call, &error);
    else if (!held_keys014(call, &audience, &container))
        call014_answer_keys(call, ROLE_INITIATOR, &container);
    etsi014_container_free(&container);
    return true;
}

void reserve014(const struct call014 *call)
{
    struct etsi014_key_request asked;
    struct etsi014_error error;
    struct peer *peer;

    if (!find_peer(call, &peer, &error) || !read_request(call, &asked, &error) ||
        !check_request(call->service->env->config, &asked, &error))
        call014_refuse(call, &error);
    else if (!reserve014_asked(call, &asked, true) && !held_request014(call, &asked))
        reserve014_asked(call, &asked, false);
}
