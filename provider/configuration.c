/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

enum {
    CODE_POINT_NAME_BYTES = 48,
    PARAMS = SETTING_COUNT + GROUP_COUNT + 1 /* and the provider's name */
};

/* The core's parameters have no const; what is behind them is only read. */
static OSSL_PARAM text_param(const char *name, const char **value)
{
    OSSL_PARAM param = {name, OSSL_PARAM_UTF8_PTR, (void *)value, 0, OSSL_PARAM_UNMODIFIED};

    *value = NULL;
    return param;
}

bool configuration_read(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
                        struct configuration *configuration)
{
    char names[GROUP_COUNT][CODE_POINT_NAME_BYTES];
    OSSL_FUNC_core_get_params_fn *get_params = NULL;
    OSSL_PARAM params[PARAMS + 1];
    size_t count = 0;

    for (; core->function_id != 0; core++)
        if (core->function_id == OSSL_FUNC_CORE_GET_PARAMS)
            get_params = OSSL_FUNC_core_get_params(core);
    params[count++] = text_param(OSSL_PROV_PARAM_CORE_PROV_NAME, &configuration->provider_name);
    for (int i = 0; i < SETTING_COUNT; i++)
        params[count++] =
            text_param(setting_text((enum setting_name)i), &configuration->settings[i]);
    for (int i = 0; i < GROUP_COUNT; i++) {
        snprintf(names[i], sizeof(names[i]), "codepoint-%s", groups[i].name);
        params[count++] = text_param(names[i], &configuration->code_points[i]);
    }
    params[count] = OSSL_PARAM_construct_end();
    return get_params != NULL && get_params(handle, params) && configuration->provider_name != NULL;
}

bool configuration_has_no_code_point(const struct configuration *configuration)
{
    for (int i = 0; i < GROUP_COUNT; i++)
        if (configuration->code_points[i] != NULL)
            return false;
    return true;
}

static bool parse_code_point(const char *name, const char *text, uint16_t *code_point,
                             struct status *fault)
{
    unsigned long number;
    char *end;

    if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X') ||
        strspn(text + 2, "0123456789abcdefABCDEF") != 4 || strlen(text) != 6)
        return status_fail(fault, OUTCOME_CONFIG,
                           "codepoint-%s = '%s' is not a number of the form 0xNNNN", name, text);
    number = strtoul(text, &end, 16);
    if (number == 0 || code_point_is_taken((unsigned)number))
        return status_fail(fault, OUTCOME_CONFIG,
                           "codepoint-%s = %s is the number of another TLS group, which libssl "
                           "would use without QKD",
                           name, text);
    *code_point = (uint16_t)number;
    return true;
}

static bool check_distinct(const uint16_t *code_points, struct status *fault)
{
    for (int i = 0; i < GROUP_COUNT; i++)
        for (int j = 0; j < i; j++)
            if (code_points[i] == code_points[j])
                return status_fail(fault, OUTCOME_CONFIG,
                                   "code point 0x%04X belongs to both %s and %s", code_points[i],
                                   groups[j].name, groups[i].name);
    return true;
}

void configuration_code_points(const struct configuration *configuration,
                               uint16_t code_points[static GROUP_COUNT], struct status *fault)
{
    for (int i = 0; i < GROUP_COUNT; i++) {
        const char *text = configuration->code_points[i];

        code_points[i] = groups[i].code_point;
        if (text != NULL)
            parse_code_point(groups[i].name, text, &code_points[i], fault);
    }
    if (check_distinct(code_points, fault))
        return;
    for (int i = 0; i < GROUP_COUNT; i++)
        code_points[i] = groups[i].code_point;
}
