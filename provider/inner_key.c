/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/inner_key.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>

enum { POINT_UNCOMPRESSED = 0x04, CURVE_NAME_BYTES = 16, POINT_MAX_BYTES = 133 };

bool inner_fail(struct status *status, enum outcome outcome, const struct group *group,
                const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return status_fail(status, outcome, "%s of %s failed: %s", what, group->inner_names[0],
                       reason != NULL ? reason : "no reason given");
}

/* The first name that this process knows; NULL when it knows none. */
static const char *known_name(const struct inner_library *library, const struct group *group)
{
    for (size_t i = 0; i < INNER_NAMES_MAX && group->inner_names[i] != NULL; i++) {
        EVP_KEYMGMT *found =
            EVP_KEYMGMT_fetch(library->context, group->inner_names[i], library->properties);

        EVP_KEYMGMT_free(found);
        if (found != NULL)
            return group->inner_names[i];
    }
    return NULL;
}

bool inner_is_available(const struct inner_library *library, const struct group *group)
{
    bool available;

    ERR_set_mark();
    available = known_name(library, group) != NULL;
    ERR_pop_to_mark();
    return available;
}

/* The name to make keys by; tables of one name need no look-up. */
static const char *usable_name(const struct inner_library *library, const struct group *group)
{
    return group->inner_names[1] == NULL ? group->inner_names[0] : known_name(library, group);
}

static EVP_PKEY *generate(const struct inner_library *library, const struct group *group,
                          const char *name)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(library->context, name, library->properties);
    EVP_PKEY *key = NULL;

    if (ctx != NULL && EVP_PKEY_keygen_init(ctx) > 0 &&
        (group->curve == NULL || EVP_PKEY_CTX_set_group_name(ctx, group->curve) > 0) &&
        EVP_PKEY_generate(ctx, &key) <= 0) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

EVP_PKEY *inner_generate(const struct inner_library *library, const struct group *group,
                         struct status *status)
{
    EVP_PKEY *key = NULL;
    const char *name;

    ERR_set_mark();
    name = usable_name(library, group);
    if (name != NULL)
        key = generate(library, group, name);
    if (key == NULL)
        inner_fail(status, OUTCOME_INTERNAL, group, "key generation");
    ERR_pop_to_mark();
    return key;
}

/* An uncompressed point as a key on the group's curve; NULL when it is not on it. */
static EVP_PKEY *import_point(const struct inner_library *library, const struct group *group,
                              const uint8_t *octets, size_t length, struct status *status)
{
    char curve[CURVE_NAME_BYTES] = "";
    uint8_t point[POINT_MAX_BYTES];
    OSSL_PARAM params[3];
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *key = NULL;

    if (length == 0 || length > sizeof(point) || octets[0] != POINT_UNCOMPRESSED) {
        status_fail(status, OUTCOME_PEER, "its %s public key is no uncompressed point",
                    group->inner_names[0]);
        return NULL;
    }
    /* OSSL_PARAM takes what is not const. */
    memcpy(point, octets, length);
    memcpy(curve, group->curve, strnlen(group->curve, sizeof(curve) - 1));
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, length);
    params[2] = OSSL_PARAM_construct_end();
    ctx = EVP_PKEY_CTX_new_from_name(library->context, group->inner_names[0], library->properties);
    if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) > 0 &&
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *import(const struct inner_library *library, const struct group *group,
                        const uint8_t *octets, size_t length, struct status *status)
{
    const char *name = usable_name(library, group);

    if (name == NULL)
        return NULL;
    if (group->curve != NULL)
        return import_point(library, group, octets, length, status);
    return EVP_PKEY_new_raw_public_key_ex(library->context, name, library->properties, octets,
                                          length);
}

EVP_PKEY *inner_import(const struct inner_library *library, const struct group *group,
                       const uint8_t *octets, size_t length, struct status *status)
{
    EVP_PKEY *key;

    if (group->public_bytes != 0 && length != group->public_bytes) {
        status_fail(status, OUTCOME_PEER, "its %s public key has %zu octets instead of %zu",
                    group->inner_names[0], length, group->public_bytes);
        return NULL;
    }
    ERR_set_mark();
    key = import(library, group, octets, length, status);
    if (key == NULL)
        inner_fail(status, OUTCOME_PEER, group, "reading the public key");
    ERR_pop_to_mark();
    return key;
}

bool inner_public(const struct group *group, EVP_PKEY *key, uint8_t **octets, size_t *length,
                  struct status *status)
{
    bool ok = true;

    ERR_set_mark();
    *octets = NULL;
    *length = EVP_PKEY_get1_encoded_public_key(key, octets);
    if (*length == 0)
        ok = inner_fail(status, OUTCOME_INTERNAL, group, "encoding the public key");
    else if (group->public_bytes != 0 && *length != group->public_bytes)
        ok = status_fail(status, OUTCOME_INTERNAL, "%s gave a public key of %zu octets, not %zu",
                         group->inner_names[0], *length, group->public_bytes);
    ERR_pop_to_mark();
    if (!ok) {
        OPENSSL_free(*octets);
        *octets = NULL;
    }
    return ok;
}

EVP_PKEY_CTX *inner_operation(const struct inner_library *library, EVP_PKEY *key)
{
    const OSSL_PROVIDER *owner = EVP_PKEY_get0_provider(key);
    char properties[128];
    int length;

    if (owner == NULL)
        return NULL;
    /* Without this, EVP may take another provider's algorithm of the name and export the key. */
    length =
        snprintf(properties, sizeof(properties), "provider=%s", OSSL_PROVIDER_get0_name(owner));
    if (length < 0 || (size_t)length >= sizeof(properties))
        return NULL;
    return EVP_PKEY_CTX_new_from_pkey(library->context, key, properties);
}
