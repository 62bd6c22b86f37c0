/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/openssl_cnf.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/conf.h>
#include <openssl/err.h>

#include "ctl/nearest.h"

/* Names in the section that are not for us, but for OpenSSL. */
static const char *const other_names[] = {"activate", "identity", "module", "soft_load"};

static const char codepoint_prefix[] = "codepoint-";

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* By the file of the module, or by the name that OpenSSL will know the provider by. */
static bool is_ours(CONF *conf, const CONF_VALUE *row)
{
    const char *identity = NCONF_get_string(conf, row->value, "identity");
    const char *module = NCONF_get_string(conf, row->value, "module");

    if (module != NULL &&
        (strncmp(base_name(module), "qkd.", 4) == 0 || strcmp(base_name(module), "qkd") == 0))
        return true;
    return strcmp(identity != NULL ? identity : row->name, "qkd") == 0;
}

const CONF_VALUE *openssl_cnf_provider(CONF *conf)
{
    const char *init = NCONF_get_string(conf, NULL, "openssl_conf");
    const char *providers = init != NULL ? NCONF_get_string(conf, init, "providers") : NULL;
    STACK_OF(CONF_VALUE) *rows = providers != NULL ? NCONF_get_section(conf, providers) : NULL;

    for (int i = 0; i < sk_CONF_VALUE_num(rows); i++) {
        const CONF_VALUE *row = sk_CONF_VALUE_value(rows, i);

        if (is_ours(conf, row))
            return row;
    }
    return NULL;
}

static bool known_elsewhere(const char *name)
{
    for (size_t i = 0; i < sizeof(other_names) / sizeof(other_names[0]); i++)
        if (strcmp(other_names[i], name) == 0)
            return true;
    return strncmp(name, codepoint_prefix, strlen(codepoint_prefix)) == 0;
}

static int find_setting(const char *name)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (strcmp(setting_text((enum setting_name)i), name) == 0)
            return i;
    return -1;
}

bool openssl_cnf_knows(const char *name)
{
    return find_setting(name) >= 0 || known_elsewhere(name);
}

const char *openssl_cnf_nearest(const char *name)
{
    struct nearest nearest = nearest_to(name);

    for (int i = 0; i < SETTING_COUNT; i++)
        nearest_try(&nearest, setting_text((enum setting_name)i));
    for (size_t i = 0; i < sizeof(other_names) / sizeof(other_names[0]); i++)
        nearest_try(&nearest, other_names[i]);
    return nearest.found;
}

static bool take_row(const CONF_VALUE *row, char *values[static SETTING_COUNT],
                     struct status *status)
{
    int setting = find_setting(row->name);

    if (setting < 0)
        return known_elsewhere(row->name) ||
               status_fail(status, OUTCOME_CONFIG, "section [%s] has an unknown setting '%s'",
                           row->section, row->name);
    free(values[setting]);
    values[setting] = strdup(row->value);
    return values[setting] != NULL || status_fail(status, OUTCOME_INTERNAL, "out of memory");
}

static bool take_section(CONF *conf, char *values[static SETTING_COUNT], struct status *status)
{
    const CONF_VALUE *provider = openssl_cnf_provider(conf);
    STACK_OF(CONF_VALUE) *rows = provider != NULL ? NCONF_get_section(conf, provider->value) : NULL;

    if (rows == NULL)
        return status_fail(status, OUTCOME_CONFIG, "there is no section of the provider qkd");
    for (int i = 0; i < sk_CONF_VALUE_num(rows); i++)
        if (!take_row(sk_CONF_VALUE_value(rows, i), values, status))
            return false;
    return true;
}

bool openssl_cnf_read(const char *path, char *values[static SETTING_COUNT], struct status *status)
{
    CONF *conf = NCONF_new(NULL);
    long line = 0;

    for (int i = 0; i < SETTING_COUNT; i++)
        values[i] = NULL;
    if (conf == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory");
    if (NCONF_load(conf, path, &line) != 1) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());

        if (line > 0)
            status_fail(status, OUTCOME_CONFIG, "line %ld: %s", line, reason);
        else
            status_fail(status, OUTCOME_CONFIG, "cannot be read: %s",
                        reason != NULL ? reason : "unknown reason");
    } else {
        take_section(conf, values, status);
    }
    NCONF_free(conf);
    ERR_clear_error();
    if (status->outcome == OUTCOME_OK)
        return true;
    openssl_cnf_free(values);
    return status_prefix(status, "%s", path);
}

void openssl_cnf_free(char *values[static SETTING_COUNT])
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        free(values[i]);
        values[i] = NULL;
    }
}
