/* SPDX-License-Identifier: Apache-2.0 */
/* A module that looks like ours and never gets through its start: BROKEN_HOW is called there. */
#include <stdlib.h>
#include <unistd.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>

/* What qkdctl doctor looks for in the file. */
__attribute__((visibility("default"))) extern const char broken_group[];
const char broken_group[] = "qkd_x25519";

__attribute__((visibility("default"))) OSSL_provider_init_fn OSSL_provider_init;

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
                       const OSSL_DISPATCH **table, void **context)
{
    (void)handle;
    (void)core;
    (void)table;
    (void)context;
    BROKEN_HOW();
    return 0;
}
