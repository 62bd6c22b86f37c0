/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/major.h"

#include <stdlib.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/opensslv.h>
#include <openssl/params.h>

static const char *core_version(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core)
{
    OSSL_FUNC_core_get_params_fn *get_params = NULL;
    const char *version = NULL;
    OSSL_PARAM params[] = {
        {OSSL_PROV_PARAM_CORE_VERSION, OSSL_PARAM_UTF8_PTR, (void *)&version, 0,
         OSSL_PARAM_UNMODIFIED},
        OSSL_PARAM_END,
    };

    for (; core->function_id != 0; core++)
        if (core->function_id == OSSL_FUNC_CORE_GET_PARAMS)
            get_params = OSSL_FUNC_core_get_params(core);
    if (get_params == NULL || !get_params(handle, params))
        return NULL;
    return version;
}

bool major_fits(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core, struct status *status)
{
    const char *version = core_version(handle, core);

    if (version == NULL)
        return status_fail(status, OUTCOME_CONFIG,
                           "this program's OpenSSL does not say its version; this qkd.so is built "
                           "for OpenSSL %d",
                           OPENSSL_VERSION_MAJOR);
    if (strtol(version, NULL, 10) == OPENSSL_VERSION_MAJOR)
        return true;
    return status_fail(
        status, OUTCOME_CONFIG,
        "this qkd.so is built for OpenSSL %d (libcrypto.so.%d), and this program runs "
        "OpenSSL %.32s; install the qkd.so that is built for OpenSSL %ld",
        OPENSSL_VERSION_MAJOR, OPENSSL_VERSION_MAJOR, version, strtol(version, NULL, 10));
}
