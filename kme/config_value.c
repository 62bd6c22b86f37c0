/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/config_value.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "etsi/etsi014.h"

enum { SENTENCE_BYTES = 256 };

bool config_value_fail(const config_setting_t *at, const char *path, struct status *status,
                       const char *format, ...)
{
    const config_setting_t *parent = config_setting_parent(at);
    const char *group = parent != NULL ? config_setting_name(parent) : NULL;
    const char *name = config_setting_name(at);
    char sentence[SENTENCE_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    return status_fail(status, OUTCOME_CONFIG, "%s:%u: %s%s%s %s", path,
                       config_setting_source_line(at), group != NULL ? group : "",
                       group != NULL ? "." : "", name != NULL ? name : "an entry", sentence);
}

static bool copy_text(char **to, const char *text, const config_setting_t *at, const char *path,
                      struct status *status)
{
    OPENSSL_free(*to);
    *to = OPENSSL_strdup(text);
    return *to != NULL || config_value_fail(at, path, status, "does not fit in memory");
}

static const char *text_of(const config_setting_t *value)
{
    return config_setting_type(value) == CONFIG_TYPE_STRING ? config_setting_get_string(value)
                                                            : NULL;
}

static bool read_name(char **to, const config_setting_t *value, const char *path,
                      struct status *status)
{
    const char *text = text_of(value);

    if (text == NULL || text[0] == '\0' || strlen(text) > ETSI014_ID_MAX_CHARS)
        return config_value_fail(value, path, status, "is not a text of 1 to %d octets",
                                 ETSI014_ID_MAX_CHARS);
    return copy_text(to, text, value, path, status);
}

static bool read_file_path(char **to, const config_setting_t *value, const char *path,
                           struct status *status)
{
    const char *text = text_of(value), *slash = strrchr(path, '/');
    char whole[PATH_MAX];
    int length;

    if (text == NULL || text[0] == '\0')
        return config_value_fail(value, path, status, "is not the path of a file");
    if (text[0] == '/' || slash == NULL)
        length = snprintf(whole, sizeof(whole), "%s", text);
    else
        length = snprintf(whole, sizeof(whole), "%.*s/%s", (int)(slash - path), path, text);
    if (length < 0 || (size_t)length >= sizeof(whole))
        return config_value_fail(value, path, status, "is too long a path");
    return copy_text(to, whole, value, path, status);
}

static bool read_address(struct address *to, bool loopback, const config_setting_t *value,
                         const char *path, struct status *status)
{
    const char *text = text_of(value);

    if (text == NULL || !address_parse(text, to))
        return config_value_fail(value, path, status,
                                 "is not a numeric address with a port, such as 127.0.0.1:17400");
    if (loopback && !address_is_loopback(to))
        return config_value_fail(value, path, status,
                                 "= \"%s\" is not a loopback address; this listener has no TLS",
                                 text);
    return true;
}

static bool read_number(int64_t *to, const struct setting *setting, const config_setting_t *value,
                        const char *path, struct status *status)
{
    int type = config_setting_type(value);

    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
        return config_value_fail(value, path, status, "is not a whole number");
    *to = config_setting_get_int64(value);
    if (*to < setting->min || *to > setting->max)
        return config_value_fail(value, path, status, "= %lld is outside %lld to %lld",
                                 (long long)*to, (long long)setting->min, (long long)setting->max);
    return true;
}

static bool is_list(const config_setting_t *value)
{
    int type = config_setting_type(value);

    return type == CONFIG_TYPE_LIST || type == CONFIG_TYPE_ARRAY;
}

static bool check_list(const config_setting_t *value, const char *what, const char *path,
                       struct status *status)
{
    if (!is_list(value))
        return config_value_fail(value, path, status, "is not a list of %s", what);
    if (config_setting_length(value) > CONFIG_NAMES_MAX)
        return config_value_fail(value, path, status, "has more than %d entries", CONFIG_NAMES_MAX);
    return true;
}

static bool read_sae(struct config_sae *sae, config_setting_t *group, const char *path,
                     struct status *status)
{
    if (config_setting_type(group) != CONFIG_TYPE_GROUP)
        return config_value_fail(group, path, status, "is not of the form { id = \"…\"; }");
    for (int i = 0; i < config_setting_length(group); i++) {
        config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(member);
        bool is_id = strcmp(name, "id") == 0;

        if (!is_id && strcmp(name, "cn") != 0)
            return config_value_fail(member, path, status, "is unknown");
        if (!read_name(is_id ? &sae->id : &sae->cn, member, path, status))
            return false;
    }
    if (sae->id == NULL)
        return config_value_fail(group, path, status, "has no id");
    return sae->cn != NULL || copy_text(&sae->cn, sae->id, group, path, status);
}

static bool read_saes(struct kme_config *config, const config_setting_t *value, const char *path,
                      struct status *status)
{
    size_t count;

    if (!check_list(value, "SAEs", path, status))
        return false;
    count = (size_t)config_setting_length(value);
    config->saes.items = OPENSSL_zalloc((count + 1) * sizeof(*config->saes.items));
    if (config->saes.items == NULL)
        return config_value_fail(value, path, status, "does not fit in memory");
    config->saes.count = count;
    for (size_t i = 0; i < count; i++) {
        struct config_sae *sae = &config->saes.items[i];
        config_setting_t *group = config_setting_get_elem(value, (unsigned)i);

        if (!read_sae(sae, group, path, status))
            return false;
        for (size_t j = 0; j < i; j++)
            if (strcmp(config->saes.items[j].id, sae->id) == 0 ||
                strcmp(config->saes.items[j].cn, sae->cn) == 0)
                return config_value_fail(group, path, status,
                                         "has an id or cn that is there twice");
    }
    return true;
}

static bool read_peer_saes(struct kme_config *config, const config_setting_t *value,
                           const char *path, struct status *status)
{
    size_t count;

    if (!check_list(value, "SAE IDs", path, status))
        return false;
    count = (size_t)config_setting_length(value);
    config->link.peer_saes.items =
        OPENSSL_zalloc((count + 1) * sizeof(*config->link.peer_saes.items));
    if (config->link.peer_saes.items == NULL)
        return config_value_fail(value, path, status, "does not fit in memory");
    config->link.peer_saes.count = count;
    for (size_t i = 0; i < count; i++)
        if (!read_name(&config->link.peer_saes.items[i],
                       config_setting_get_elem(value, (unsigned)i), path, status))
            return false;
    return true;
}

bool config_value_read(struct kme_config *config, const struct setting *setting,
                       config_setting_t *value, const char *path, struct status *status)
{
    void *to = (char *)config + setting->offset;

    switch (setting->type) {
    case SETTING_NAME:
    case SETTING_WORD:
        return read_name(to, value, path, status);
    case SETTING_FILE:
        return read_file_path(to, value, path, status);
    case SETTING_ADDRESS:
    case SETTING_LOOPBACK:
        return read_address(to, setting->type == SETTING_LOOPBACK, value, path, status);
    case SETTING_NUMBER:
        return read_number(to, setting, value, path, status);
    case SETTING_SAES:
        return read_saes(config, value, path, status);
    case SETTING_PEER_SAES:
        return read_peer_saes(config, value, path, status);
    }
    return false;
}
