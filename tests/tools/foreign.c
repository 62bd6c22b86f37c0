/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider of nothing but one TLS group: X25519 under the number of qkd_x25519mlkem768. For the
 * test that such a clash never leads to a handshake without QKD.
 */
#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

static int offer(void *context, const char *capability, OSSL_CALLBACK *callback, void *argument)
{
    static char name[] = "foreign_group", x25519[] = "X25519";
    static unsigned number = 0xFE18, bits = 128, is_kem = 0;
    static int tls13 = 0x0304, any = 0, never = -1;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, x25519, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_ALG, x25519, 0),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_ID, &number),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS, &bits),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_TLS, &tls13),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, &any),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, &never),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS, &never),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_IS_KEM, &is_kem),
        OSSL_PARAM_construct_end(),
    };

    (void)context;
    return OPENSSL_strcasecmp(capability, "TLS-GROUP") != 0 || callback(params, argument);
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))offer},
    {0, NULL},
};

__attribute__((visibility("default"))) OSSL_provider_init_fn OSSL_provider_init;

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
                       const OSSL_DISPATCH **table, void **context)
{
    static int anything;

    (void)handle;
    (void)core;
    *table = functions;
    *context = &anything;
    return 1;
}
