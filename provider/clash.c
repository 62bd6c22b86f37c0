/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/clash.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>

struct search {
    const char *own_name;
    unsigned code_point;
    const char *provider; /* whose groups are looked at */
    struct clash *clash;
    bool found;
};

static int look_at_group(const OSSL_PARAM params[], void *argument)
{
    const OSSL_PARAM *number = OSSL_PARAM_locate_const(params, OSSL_CAPABILITY_TLS_GROUP_ID);
    const OSSL_PARAM *name = OSSL_PARAM_locate_const(params, OSSL_CAPABILITY_TLS_GROUP_NAME);
    struct search *search = argument;
    const char *text = NULL;
    unsigned code_point = 0;

    if (number == NULL || !OSSL_PARAM_get_uint(number, &code_point) ||
        code_point != search->code_point)
        return 1;
    search->found = true;
    if (name == NULL || !OSSL_PARAM_get_utf8_string_ptr(name, &text))
        text = "a group without a name";
    snprintf(search->clash->provider, CLASH_NAME_BYTES, "%s", search->provider);
    snprintf(search->clash->group, CLASH_NAME_BYTES, "%s", text);
    return 1;
}

static int look_at_provider(OSSL_PROVIDER *provider, void *argument)
{
    struct search *search = argument;

    search->provider = OSSL_PROVIDER_get0_name(provider);
    if (strcmp(search->provider, search->own_name) != 0)
        OSSL_PROVIDER_get_capabilities(provider, "TLS-GROUP", look_at_group, search);
    return 1;
}

bool clash_find(OSSL_LIB_CTX *library, const char *own_name, unsigned code_point,
                struct clash *clash)
{
    struct search search = {.own_name = own_name, .code_point = code_point, .clash = clash};

    ERR_set_mark();
    OSSL_PROVIDER_do_all(library, look_at_provider, &search);
    ERR_pop_to_mark();
    return search.found;
}
