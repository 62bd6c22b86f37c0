/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/keymgmt.h"

#include <string.h>
#include <strings.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "provider/key.h"
#include "provider/share.h"

static OSSL_FUNC_keymgmt_free_fn keymgmt_free;
static OSSL_FUNC_keymgmt_has_fn keymgmt_has;
static OSSL_FUNC_keymgmt_match_fn keymgmt_match;
static OSSL_FUNC_keymgmt_dup_fn keymgmt_dup;
static OSSL_FUNC_keymgmt_get_params_fn keymgmt_get_params;
static OSSL_FUNC_keymgmt_gettable_params_fn keymgmt_gettable_params;
static OSSL_FUNC_keymgmt_set_params_fn keymgmt_set_params;
static OSSL_FUNC_keymgmt_settable_params_fn keymgmt_settable_params;
static OSSL_FUNC_keymgmt_import_fn keymgmt_import;
static OSSL_FUNC_keymgmt_import_types_fn keymgmt_public_types;
static OSSL_FUNC_keymgmt_export_fn keymgmt_export;
static OSSL_FUNC_keymgmt_gen_set_params_fn keymgmt_gen_set_params;
static OSSL_FUNC_keymgmt_gen_settable_params_fn keymgmt_gen_settable_params;
static OSSL_FUNC_keymgmt_gen_fn keymgmt_gen;
static OSSL_FUNC_keymgmt_gen_cleanup_fn keymgmt_gen_cleanup;

/* Came with OpenSSL 3.6; earlier headers do not name it. */
#define SECURITY_CATEGORY "security-category"

struct generation {
    struct context *context;
    enum group_index index;
    int selection;
};

static void *raise_memory(const struct context *context, enum group_index index)
{
    RAISE(&context->errors, REASON_INTERNAL, "group %s", groups[index].name);
    return NULL;
}

static void *make_key(struct context *context, enum group_index index)
{
    struct key *key = key_new(context, index);

    return key != NULL ? key : raise_memory(context, index);
}

static void keymgmt_free(void *vkey)
{
    key_free(vkey);
}

static int keymgmt_has(const void *vkey, int selection)
{
    const struct key *key = vkey;

    if (key == NULL)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
        return key->state == KEY_PRIVATE;
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0)
        return key->state != KEY_EMPTY;
    return 1;
}

static int keymgmt_match(const void *vone, const void *vother, int selection)
{
    const struct key *one = vone, *other = vother;

    if (one->group != other->group)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
        return 1;
    /* The share of a private key is as much its own as the private half. */
    return one->state != KEY_EMPTY && other->state != KEY_EMPTY &&
           one->share_length == other->share_length &&
           memcmp(one->share, other->share, one->share_length) == 0;
}

static void *keymgmt_dup(const void *vkey, int selection)
{
    const struct key *key = vkey;
    enum group_index index = (enum group_index)(key->group - groups);
    struct status status = STATUS_INIT;
    struct key *copy;

    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
        return make_key(key->context, index);
    copy = key_copy(key, (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0, &status);
    if (copy == NULL)
        CONTEXT_RAISE(key->context, key->group, &status);
    return copy;
}

/* NIST's categories 1, 3 and 5 stand for the strength of AES with 128, 192 and 256 bits; 0 for
 * what a quantum computer breaks, since nothing is claimed for QKD. */
static int security_category(const struct group *group)
{
    return group->kind == INNER_ECDH ? 0 : (int)(group->security_bits / 64) * 2 - 3;
}

static int set_int(OSSL_PARAM *params, const char *name, size_t value)
{
    OSSL_PARAM *param = OSSL_PARAM_locate(params, name);

    return param == NULL || OSSL_PARAM_set_int(param, (int)value);
}

/* Left unset where only the inner algorithm's provider knows it. */
static int set_max_size(OSSL_PARAM *params, const struct group *group)
{
    return group->ciphertext_bytes == 0 ||
           set_int(params, OSSL_PKEY_PARAM_MAX_SIZE, share_bytes(group->ciphertext_bytes));
}

static int set_share(OSSL_PARAM *params, const char *name, const struct key *key)
{
    OSSL_PARAM *param = OSSL_PARAM_locate(params, name);

    if (param == NULL)
        return 1;
    return key->share != NULL && OSSL_PARAM_set_octet_string(param, key->share, key->share_length);
}

static int set_text(OSSL_PARAM *params, const char *name, const char *text)
{
    OSSL_PARAM *param = OSSL_PARAM_locate(params, name);

    return param == NULL || OSSL_PARAM_set_utf8_string(param, text);
}

/* Left unset while there is no key that was used: EVP then says that the key has none. */
static int set_used_key(OSSL_PARAM *params, const struct key *key)
{
    char text[KEY_ID_TEXT_CHARS + 1];
    struct key_id id;
    enum role role;

    if (!used_key_ask(&key->used, &role, &id))
        return 1;
    key_id_format(&id, text);
    return set_text(params, KEYMGMT_PARAM_KEY_ID, text) &&
           set_text(params, KEYMGMT_PARAM_ROLE, role_name(role));
}

static int keymgmt_get_params(void *vkey, OSSL_PARAM *params)
{
    const struct key *key = vkey;
    const struct group *group = key->group;

    if (params == NULL)
        return 1;
    return set_int(params, OSSL_PKEY_PARAM_BITS, group->bits) &&
           set_int(params, OSSL_PKEY_PARAM_SECURITY_BITS, group->security_bits) &&
           set_int(params, SECURITY_CATEGORY, (size_t)security_category(group)) &&
           set_max_size(params, group) &&
           set_share(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, key) &&
           set_share(params, OSSL_PKEY_PARAM_PUB_KEY, key) && set_used_key(params, key);
}

static const OSSL_PARAM *keymgmt_gettable_params(void *context)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(SECURITY_CATEGORY, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_utf8_string(KEYMGMT_PARAM_KEY_ID, NULL, 0),
        OSSL_PARAM_utf8_string(KEYMGMT_PARAM_ROLE, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)context;
    return gettable;
}

static int raise_share(const struct key *key, const struct status *status)
{
    if (status->outcome != OUTCOME_PEER)
        return CONTEXT_RAISE(key->context, key->group, status);
    RAISE(&key->context->errors, REASON_PEER_SHARE, "group %s: %s", key->group->name, status->text);
    return 0;
}

static int take_share(struct key *key, const OSSL_PARAM *param)
{
    struct status status = STATUS_INIT;

    if (param->data_type != OSSL_PARAM_OCTET_STRING || param->data == NULL) {
        status_fail(&status, OUTCOME_INPUT, "a key share is an octet string");
        return raise_share(key, &status);
    }
    if (!key_set_share(key, param->data, param->data_size, &status))
        return raise_share(key, &status);
    return 1;
}

static int keymgmt_set_params(void *vkey, const OSSL_PARAM *params)
{
    const OSSL_PARAM *param;

    if (params == NULL)
        return 1;
    param = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY);
    return param == NULL || take_share(vkey, param);
}

static const OSSL_PARAM *keymgmt_settable_params(void *context)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)context;
    return settable;
}

static int keymgmt_import(void *vkey, int selection, const OSSL_PARAM *params)
{
    struct key *key = vkey;
    const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);

    /* EVP asks for the whole pair also where it has only a public key to give. */
    if (OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PRIV_KEY) != NULL) {
        RAISE(&key->context->errors, REASON_KEY_USE,
              "group %s: a private key is generated, never imported", key->group->name);
        return 0;
    }
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0)
        return 1;
    if (param == NULL) {
        RAISE(&key->context->errors, REASON_KEY_USE, "group %s: no public key to import",
              key->group->name);
        return 0;
    }
    return take_share(key, param);
}

static const OSSL_PARAM *keymgmt_public_types(int selection)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_END,
    };

    return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? types : NULL;
}

static int keymgmt_export(void *vkey, int selection, OSSL_CALLBACK *callback, void *argument)
{
    struct key *key = vkey;
    OSSL_PARAM params[2] = {OSSL_PARAM_END, OSSL_PARAM_END};

    /* EVP asks for the whole pair also where there is only a public key to give. */
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && key->state == KEY_PRIVATE) {
        RAISE(&key->context->errors, REASON_PRIVATE_EXPORT, "group %s", key->group->name);
        return 0;
    }
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 && key->state != KEY_EMPTY)
        params[0] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, key->share,
                                                      key->share_length);
    return callback(params, argument);
}

static void *generation_new(void *context, enum group_index index, int selection,
                            const OSSL_PARAM *params)
{
    struct generation *generation = OPENSSL_zalloc(sizeof(*generation));

    if (generation == NULL)
        return raise_memory(context, index);
    generation->context = context;
    generation->index = index;
    generation->selection = selection;
    if (keymgmt_gen_set_params(generation, params))
        return generation;
    OPENSSL_free(generation);
    return NULL;
}

/* libssl names the group it wants; it can only be the one of this table. */
static int keymgmt_gen_set_params(void *vgeneration, const OSSL_PARAM *params)
{
    const struct generation *generation = vgeneration;
    const char *name = groups[generation->index].name, *wanted = NULL;
    const OSSL_PARAM *param =
        params != NULL ? OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME) : NULL;

    if (param == NULL)
        return 1;
    if (OSSL_PARAM_get_utf8_string_ptr(param, &wanted) &&
        (*wanted == '\0' || strcasecmp(wanted, name) == 0))
        return 1;
    RAISE(&generation->context->errors, REASON_KEY_USE, "group %s was asked for group '%s'", name,
          wanted != NULL ? wanted : "(no text)");
    return 0;
}

static const OSSL_PARAM *keymgmt_gen_settable_params(void *vgeneration, void *context)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)vgeneration;
    (void)context;
    return settable;
}

static void *keymgmt_gen(void *vgeneration, OSSL_CALLBACK *callback, void *argument)
{
    const struct generation *generation = vgeneration;
    struct key *key = make_key(generation->context, generation->index);
    struct status status = STATUS_INIT;

    (void)callback;
    (void)argument;
    if (key == NULL)
        return NULL;
    /* A TLS server asks for the parameters alone, to receive a share into them. */
    if ((generation->selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0 ? key_may_receive(key, &status)
                                                                   : key_generate(key, &status))
        return key;
    CONTEXT_RAISE(key->context, key->group, &status);
    key_free(key);
    return NULL;
}

static void keymgmt_gen_cleanup(void *vgeneration)
{
    OPENSSL_free(vgeneration);
}

/* Only these two functions must know the group; everything else finds it in the object. */
#define FUNCTIONS(id)                                                                              \
    static OSSL_FUNC_keymgmt_new_fn new_##id;                                                      \
    static void *new_##id(void *context)                                                           \
    {                                                                                              \
        return make_key(context, GROUP_##id);                                                      \
    }                                                                                              \
    static OSSL_FUNC_keymgmt_gen_init_fn gen_init_##id;                                            \
    static void *gen_init_##id(void *context, int selection, const OSSL_PARAM params[])            \
    {                                                                                              \
        return generation_new(context, GROUP_##id, selection, params);                             \
    }                                                                                              \
    static const OSSL_DISPATCH functions_##id[] = {                                                \
        {OSSL_FUNC_KEYMGMT_NEW, (void (*)(void))new_##id},                                         \
        {OSSL_FUNC_KEYMGMT_FREE, (void (*)(void))keymgmt_free},                                    \
        {OSSL_FUNC_KEYMGMT_HAS, (void (*)(void))keymgmt_has},                                      \
        {OSSL_FUNC_KEYMGMT_MATCH, (void (*)(void))keymgmt_match},                                  \
        {OSSL_FUNC_KEYMGMT_DUP, (void (*)(void))keymgmt_dup},                                      \
        {OSSL_FUNC_KEYMGMT_GET_PARAMS, (void (*)(void))keymgmt_get_params},                        \
        {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (void (*)(void))keymgmt_gettable_params},              \
        {OSSL_FUNC_KEYMGMT_SET_PARAMS, (void (*)(void))keymgmt_set_params},                        \
        {OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, (void (*)(void))keymgmt_settable_params},              \
        {OSSL_FUNC_KEYMGMT_IMPORT, (void (*)(void))keymgmt_import},                                \
        {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (void (*)(void))keymgmt_public_types},                    \
        {OSSL_FUNC_KEYMGMT_EXPORT, (void (*)(void))keymgmt_export},                                \
        {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (void (*)(void))keymgmt_public_types},                    \
        {OSSL_FUNC_KEYMGMT_GEN_INIT, (void (*)(void))gen_init_##id},                               \
        {OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, (void (*)(void))keymgmt_gen_set_params},                \
        {OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, (void (*)(void))keymgmt_gen_settable_params},      \
        {OSSL_FUNC_KEYMGMT_GEN, (void (*)(void))keymgmt_gen},                                      \
        {OSSL_FUNC_KEYMGMT_GEN_CLEANUP, (void (*)(void))keymgmt_gen_cleanup},                      \
        {0, NULL},                                                                                 \
    };

QKD_GROUPS(FUNCTIONS)

#define ALGORITHM(id) {"qkd_" #id, "provider=qkd", functions_##id, "QKD with " #id},

const OSSL_ALGORITHM keymgmt_algorithms[GROUP_COUNT + 1] = {
    QKD_GROUPS(ALGORITHM){NULL, NULL, NULL, NULL},
};
