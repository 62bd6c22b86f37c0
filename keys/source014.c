/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>

#include "keys/conversation014.h"
#include "keys/source_ops.h"

struct source014 {
    struct client014 *client;
    const char *peer_sae; /* borrowed from the settings */
};

static void *open014(const struct settings *settings, size_t place, const struct log *log)
{
    struct source014 *source = OPENSSL_zalloc(sizeof(*source));

    if (source == NULL)
        return NULL;
    source->peer_sae = settings_peer(settings);
    source->client = client014_new(settings_kme_endpoint(settings, place), log);
    if (source->client == NULL) {
        OPENSSL_free(source);
        return NULL;
    }
    return source;
}

static void close014(void *state)
{
    struct source014 *source = state;

    client014_free(source->client);
    OPENSSL_free(source);
}

static bool prepare014(void *state, const struct deadline *deadline, struct status *status)
{
    struct source014 *source = state;

    return client014_prepare(source->client, deadline, status);
}

static bool reserve014(void *state, const struct deadline *deadline, struct key_ref *ref,
                       struct secret **key, struct status *status)
{
    struct source014 *source = state;
    struct etsi014_container container;

    if (!client014_get_key(source->client, source->peer_sae, 1, SOURCE_KEY_BITS, deadline,
                           &container, NULL, status))
        return false;
    *ref = (struct key_ref){.kind = KEY_REF_ETSI014, .id = container.keys[0].id};
    *key = container.keys[0].key;
    return true;
}

static bool claim014(void *state, const struct key_ref *ref, const struct deadline *deadline,
                     struct secret **key, struct status *status)
{
    struct source014 *source = state;
    struct etsi014_container container;

    if (!client014_get_key_ids(source->client, source->peer_sae, &ref->id, 1, SOURCE_KEY_BITS,
                               deadline, &container, NULL, status))
        return false;
    *key = container.keys[0].key;
    return true;
}

static void *begin014(void *state, size_t number, struct status *status)
{
    struct source014 *source = state;

    return conversation014_begin(source->client, source->peer_sae, number, SOURCE_KEY_BITS, status);
}

static enum conversation_state advance014(void *state, void *conversation,
                                          const struct deadline *deadline,
                                          const struct taker *taker, struct status *status)
{
    (void)state;
    return conversation014_advance(conversation, deadline, taker, status);
}

static uint64_t progress014(const void *conversation)
{
    return conversation014_progress(conversation);
}

static void end014(void *conversation)
{
    conversation014_end(conversation);
}

static void abandon_conversation014(void *conversation)
{
    conversation014_abandon(conversation);
}

const struct source_ops source014_ops = {
    .ref_kind = KEY_REF_ETSI014,
    .asks_again = true,
    .open = open014,
    .close = close014,
    .prepare = prepare014,
    .reserve = reserve014,
    .abandon = NULL,
    .collect = NULL,
    .claim = claim014,
    .begin = begin014,
    .advance = advance014,
    .progress = progress014,
    .end = end014,
    .abandon_conversation = abandon_conversation014,
};
