/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/key.h"

#include <string.h>

#include "provider/share.h"

struct key *key_new(struct context *context, enum group_index index)
{
    struct key *key = OPENSSL_zalloc(sizeof(*key));

    if (key == NULL)
        return NULL;
    key->context = context;
    key->group = &groups[index];
    key->state = KEY_EMPTY;
    used_key_init(&key->used);
    return key;
}

void key_free(struct key *key)
{
    if (key == NULL)
        return;
    offer_free(key->offer);
    EVP_PKEY_free(key->inner);
    OPENSSL_free(key->share);
    OPENSSL_free(key);
}

static bool out_of_memory(struct status *status)
{
    return status_fail(status, OUTCOME_INTERNAL, "out of memory for a key");
}

/* Frozen here: libssl reads it twice, and once more after a HelloRetryRequest with a cookie. */
static bool make_share(struct key *key, const uint8_t *public, size_t inner_bytes,
                       struct status *status)
{
    key->share = OPENSSL_malloc(share_bytes(inner_bytes));
    if (key->share == NULL)
        return out_of_memory(status);
    memcpy(key->share, public, inner_bytes);
    share_set_key_id(key->share, inner_bytes, &key->key_id);
    key->share_length = share_bytes(inner_bytes);
    return true;
}

/* Reserves if our client is to be the initiator; else the zero ID asks the server to. */
static bool make_offer(struct key *key, struct status *status)
{
    const struct settings *settings = key->context->settings;
    struct source *source = key->context->source;
    struct deadline deadline = deadline_in_ms(settings_timeout_ms(settings));
    struct reservation *reservation = NULL;

    if (settings_initiator(settings) == INITIATOR_CLIENT) {
        if (!source_is_open(source, status) || !source_turn(source, NULL, &deadline, status) ||
            !source_reserve(source, &deadline, &reservation, status))
            return false;
        key->key_id = reservation_ref(reservation)->id;
    }
    key->offer = offer_new(reservation, deadline_left_ms(&deadline));
    if (key->offer != NULL)
        return true;
    reservation_free(reservation);
    return out_of_memory(status);
}

bool key_generate(struct key *key, struct status *status)
{
    uint8_t *public = NULL;
    size_t inner_bytes = 0;
    bool ok;

    if (key->context->fault.outcome != OUTCOME_OK)
        return status_fail(status, key->context->fault.outcome, "%s", key->context->fault.text);
    /* The inner key pair first: if that fails, no key is reserved. */
    key->inner = inner_generate(&key->context->inner, key->group, status);
    ok = key->inner != NULL &&
         inner_public(key->group, key->inner, &public, &inner_bytes, status) &&
         make_offer(key, status) && make_share(key, public, inner_bytes, status);
    OPENSSL_free(public);
    if (ok)
        key->state = KEY_PRIVATE;
    return ok;
}

bool key_may_receive(const struct key *key, struct status *status)
{
    struct source *source = key->context->source;

    return source == NULL || source_is_open(source, status);
}

bool key_set_share(struct key *key, const uint8_t *share, size_t length, struct status *status)
{
    struct key_id key_id;
    size_t inner_bytes;
    EVP_PKEY *inner;

    if (key->state != KEY_EMPTY)
        return status_fail(status, OUTCOME_INPUT, "a key cannot be set twice");
    if (!share_split(share, length, &inner_bytes, &key_id))
        return status_fail(status, OUTCOME_PEER, "a key share of %zu octets is too short", length);
    inner = inner_import(&key->context->inner, key->group, share, inner_bytes, status);
    if (inner == NULL)
        return false;
    key->key_id = key_id;
    if (!make_share(key, share, inner_bytes, status)) {
        EVP_PKEY_free(inner);
        return false;
    }
    key->inner = inner;
    key->state = KEY_PUBLIC;
    return true;
}

static EVP_PKEY *share_inner(EVP_PKEY *inner)
{
    return inner != NULL && EVP_PKEY_up_ref(inner) ? inner : NULL;
}

/* Copies the whole object; what it refers to is shared. */
static bool copy_into(struct key *copy, const struct key *key, struct status *status)
{
    copy->share = OPENSSL_memdup(key->share, key->share_length);
    copy->inner = share_inner(key->inner);
    if (copy->share == NULL || copy->inner == NULL)
        return out_of_memory(status);
    copy->share_length = key->share_length;
    copy->key_id = key->key_id;
    copy->offer = offer_share(key->offer);
    used_key_copy(&copy->used, &key->used);
    copy->state = key->state;
    return true;
}

struct key *key_copy(const struct key *key, bool with_private, struct status *status)
{
    struct key *copy = key_new(key->context, (enum group_index)(key->group - groups));
    bool ok = copy != NULL || out_of_memory(status);

    /* A public copy of a private key is made from the share, as the peer would make it. */
    if (ok && key->state == KEY_PRIVATE && !with_private)
        ok = key_set_share(copy, key->share, key->share_length, status);
    else if (ok && key->state != KEY_EMPTY)
        ok = copy_into(copy, key, status);
    if (ok)
        return copy;
    key_free(copy);
    return NULL;
}
