/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>

#include "keys/client014.h"
#include "keys/retry.h"
#include "keys/source_ops.h"

struct source014 {
    struct client014 *client;
    const char *peer_sae; /* borrowed from the settings */
};

static void *open014(const struct settings *settings, const struct log *log)
{
    struct source014 *source = OPENSSL_zalloc(sizeof(*source));

    if (source == NULL)
        return NULL;
    source->peer_sae = settings_peer(settings);
    source->client = client014_new(settings_endpoint(settings), log);
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

typedef bool attempt_fn(struct source014 *source, const struct key_ref *ref,
                        const struct deadline *deadline, struct etsi014_container *container,
                        enum etsi014_refusal *refusal, struct status *status);

static bool attempt_reserve(struct source014 *source, const struct key_ref *ref,
                            const struct deadline *deadline, struct etsi014_container *container,
                            enum etsi014_refusal *refusal, struct status *status)
{
    (void)ref;
    return client014_get_key(source->client, source->peer_sae, 1, SOURCE_KEY_BITS, deadline,
                             container, refusal, status);
}

static bool attempt_claim(struct source014 *source, const struct key_ref *ref,
                          const struct deadline *deadline, struct etsi014_container *container,
                          enum etsi014_refusal *refusal, struct status *status)
{
    return client014_get_key_ids(source->client, source->peer_sae, &ref->id, 1, SOURCE_KEY_BITS,
                                 deadline, container, refusal, status);
}

static bool may_pass(enum etsi014_refusal refusal)
{
    return refusal == ETSI014_REFUSED_NOT_FOUND || refusal == ETSI014_REFUSED_EXHAUSTED;
}

/* Key servers that synchronise after they have answered the initiator do not know a fresh key ID
 * for a moment, and one with a slow link is empty for a moment. */
static bool with_retries(struct source014 *source, attempt_fn *attempt, const struct key_ref *ref,
                         const struct deadline *deadline, struct etsi014_container *container,
                         struct status *status)
{
    struct retry retry = retry_begin();
    enum etsi014_refusal refusal;

    do {
        refusal = ETSI014_REFUSED_SERVER;
        status_clear(status);
        if (attempt(source, ref, deadline, container, &refusal, status))
            return true;
    } while (may_pass(refusal) && retry_pause(&retry, deadline));
    return false;
}

static bool reserve014(void *state, const struct deadline *deadline, struct key_ref *ref,
                       struct secret **key, struct status *status)
{
    struct etsi014_container container;

    if (!with_retries(state, attempt_reserve, NULL, deadline, &container, status))
        return false;
    *ref = (struct key_ref){.kind = KEY_REF_ETSI014, .id = container.keys[0].id};
    *key = container.keys[0].key;
    return true;
}

static bool claim014(void *state, const struct key_ref *ref, const struct deadline *deadline,
                     struct secret **key, struct status *status)
{
    struct etsi014_container container;

    if (!with_retries(state, attempt_claim, ref, deadline, &container, status))
        return false;
    *key = container.keys[0].key;
    return true;
}

const struct source_ops source014_ops = {
    .ref_kind = KEY_REF_ETSI014,
    .open = open014,
    .close = close014,
    .prepare = prepare014,
    .reserve = reserve014,
    .abandon = NULL,
    .collect = NULL,
    .claim = claim014,
};
