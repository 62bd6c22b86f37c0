/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include "provider/context.h"
#include "provider/kem.h"
#include "provider/keymgmt.h"

static OSSL_FUNC_provider_teardown_fn provider_teardown;
static OSSL_FUNC_provider_gettable_params_fn provider_gettable_params;
static OSSL_FUNC_provider_get_params_fn provider_get_params;
static OSSL_FUNC_provider_query_operation_fn provider_query_operation;
static OSSL_FUNC_provider_get_capabilities_fn provider_get_capabilities;
static OSSL_FUNC_provider_get_reason_strings_fn provider_get_reason_strings;

static void provider_teardown(void *context)
{
    context_free(context);
}

static const OSSL_PARAM *provider_gettable_params(void *context)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, NULL, 0),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
        OSSL_PARAM_END,
    };

    (void)context;
    return gettable;
}

static int set_text(OSSL_PARAM *params, const char *name, const char *value)
{
    OSSL_PARAM *param = OSSL_PARAM_locate(params, name);

    return param == NULL || OSSL_PARAM_set_utf8_ptr(param, value);
}

/* Status 1: loaded and able to say why it will fail, which is better than not being there. */
static int provider_get_params(void *context, OSSL_PARAM *params)
{
    OSSL_PARAM *param = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);

    (void)context;
    return set_text(params, OSSL_PROV_PARAM_NAME, "QKD hybrid key exchange") &&
           set_text(params, OSSL_PROV_PARAM_VERSION, QKD_VERSION) &&
           set_text(params, OSSL_PROV_PARAM_BUILDINFO, QKD_VERSION) &&
           (param == NULL || OSSL_PARAM_set_int(param, 1));
}

static const OSSL_ALGORITHM *provider_query_operation(void *context, int operation, int *no_cache)
{
    (void)context;
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_KEYMGMT:
        return keymgmt_algorithms;
    case OSSL_OP_KEM:
        return kem_algorithms;
    default:
        return NULL;
    }
}

/* What libssl asks for one group; the values must live until the callback returns. */
static int offer_group(const struct group *group, uint16_t number, OSSL_CALLBACK *callback,
                       void *argument)
{
    char *name = (char *)(uintptr_t)group->name;
    unsigned code_point = number, security_bits = group->security_bits, is_kem = 1;
    int min_tls = TLS1_3_VERSION, max_tls = 0, no_dtls = -1;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, name, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_ALG, name, 0),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_ID, &code_point),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS, &security_bits),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_TLS, &min_tls),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, &max_tls),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, &no_dtls),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS, &no_dtls),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_IS_KEM, &is_kem),
        OSSL_PARAM_construct_end(),
    };

    return callback(params, argument);
}

/* Never 0 for reasons of ours: SSL_CTX_new would fail for every connection of the process. */
static int provider_get_capabilities(void *vcontext, const char *capability,
                                     OSSL_CALLBACK *callback, void *argument)
{
    struct context *context = vcontext;

    if (strcasecmp(capability, "TLS-GROUP") != 0)
        return 1;
    for (int i = 0; i < GROUP_COUNT; i++)
        if (context_offers(context, (enum group_index)i) &&
            !offer_group(&groups[i], context->code_points[i], callback, argument))
            return 0;
    return 1;
}

static const OSSL_ITEM *provider_get_reason_strings(void *context)
{
    (void)context;
    return reason_strings;
}

static const OSSL_DISPATCH provider_functions[] = {
    {OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))provider_teardown},
    {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))provider_gettable_params},
    {OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))provider_get_params},
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))provider_query_operation},
    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))provider_get_capabilities},
    {OSSL_FUNC_PROVIDER_GET_REASON_STRINGS, (void (*)(void))provider_get_reason_strings},
    {0, NULL},
};

__attribute__((visibility("default"))) OSSL_provider_init_fn OSSL_provider_init;

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
                       const OSSL_DISPATCH **functions, void **provider_context)
{
    struct context *context = context_new(handle, core);

    if (context == NULL)
        return 0;
    *functions = provider_functions;
    *provider_context = context;
    return 1;
}
