/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/config_value.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "etsi/etsi014.h"
#include "kme/config_saes.h"

enum { SENTENCE_BYTES = 256, NAME_BYTES = 128 };

/* links[1].peer_saes[0], and so on. */
static void put_name(const config_setting_t *at, char *name, size_t room)
{
    const config_setting_t *parent = config_setting_parent(at);
    const char *own = config_setting_name(at);
    size_t used;

    name[0] = '\0';
    if (parent == NULL)
        return;
    put_name(parent, name, room);
    used = strlen(name);
    if (own != NULL)
        snprintf(name + used, room - used, "%s%s", used > 0 ? "." : "", own);
    else
        snprintf(name + used, room - used, "[%d]", config_setting_index(at));
}

bool config_value_fail(const config_setting_t *at, const char *path, struct status *status,
                       const char *format, ...)
{
    char name[NAME_BYTES], sentence[SENTENCE_BYTES];
    va_list args;

    put_name(at, name, sizeof(name));
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    return status_fail(status, OUTCOME_CONFIG, "%s:%u: %s %s", path, config_setting_source_line(at),
                       name, sentence);
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

static bool read_flag(bool *to, const config_setting_t *value, const char *path,
                      struct status *status)
{
    if (config_setting_type(value) != CONFIG_TYPE_BOOL)
        return config_value_fail(value, path, status, "is neither true nor false");
    *to = config_setting_get_bool(value) != 0;
    return true;
}

bool config_value_is_list(const config_setting_t *value, const char *what, int most,
                          const char *path, struct status *status)
{
    int type = config_setting_type(value);

    if (type != CONFIG_TYPE_LIST && type != CONFIG_TYPE_ARRAY)
        return config_value_fail(value, path, status, "is not a list of %s", what);
    if (config_setting_length(value) > most)
        return config_value_fail(value, path, status, "has more than %d entries", most);
    return true;
}

static bool read_names(struct config_names *names, const config_setting_t *value, const char *path,
                       struct status *status)
{
    size_t count;

    if (!config_value_is_list(value, "SAE IDs", CONFIG_NAMES_MAX, path, status))
        return false;
    count = (size_t)config_setting_length(value);
    names->items = OPENSSL_zalloc((count + 1) * sizeof(*names->items));
    if (names->items == NULL)
        return config_value_fail(value, path, status, "does not fit in memory");
    names->count = count;
    for (size_t i = 0; i < count; i++)
        if (!read_name(&names->items[i], config_setting_get_elem(value, (unsigned)i), path, status))
            return false;
    return true;
}

/* One text, or a list of texts. */
static bool read_rule_names(struct config_names *names, const config_setting_t *value,
                            const char *path, struct status *status)
{
    if (text_of(value) == NULL)
        return config_value_is_list(value, "texts, nor a text", CONFIG_RULES_MAX, path, status) &&
               read_names(names, value, path, status);
    names->items = OPENSSL_zalloc(sizeof(*names->items));
    if (names->items == NULL)
        return config_value_fail(value, path, status, "does not fit in memory");
    names->count = 1;
    return read_name(&names->items[0], value, path, status);
}

static bool read_fingerprint(struct config_fingerprint *to, const config_setting_t *value,
                             const char *path, struct status *status)
{
    const char *text = text_of(value);
    size_t length = 0;

    if (text == NULL ||
        OPENSSL_hexstr2buf_ex(to->octets, sizeof(to->octets), &length, text, ':') != 1 ||
        length != sizeof(to->octets)) {
        ERR_clear_error();
        return config_value_fail(value, path, status,
                                 "is not a SHA-256 of %zu octets in hexadecimal",
                                 sizeof(to->octets));
    }
    return true;
}

static bool read_fingerprints(struct config_fingerprints *to, const config_setting_t *value,
                              const char *path, struct status *status)
{
    bool is_one = text_of(value) != NULL;
    size_t count;

    if (!is_one &&
        !config_value_is_list(value, "texts, nor a text", CONFIG_RULES_MAX, path, status))
        return false;
    count = is_one ? 1 : (size_t)config_setting_length(value);
    to->items = OPENSSL_zalloc((count + 1) * sizeof(*to->items));
    if (to->items == NULL)
        return config_value_fail(value, path, status, "does not fit in memory");
    to->count = count;
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *one = is_one ? value : config_setting_get_elem(value, (unsigned)i);

        if (!read_fingerprint(&to->items[i], one, path, status))
            return false;
    }
    return true;
}

bool config_value_read(void *base, const struct setting *setting, config_setting_t *value,
                       const char *path, struct status *status)
{
    void *to = (char *)base + setting->offset;

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
        return config_saes_read(to, value, path, status);
    case SETTING_NAMES:
        return read_names(to, value, path, status);
    case SETTING_FLAG:
        return read_flag(to, value, path, status);
    case SETTING_MISBEHAVE:
        return config_misbehave_read(to, value, path, status);
    case SETTING_RULE_NAMES:
        return read_rule_names(to, value, path, status);
    case SETTING_FINGERPRINTS:
        return read_fingerprints(to, value, path, status);
    }
    return false;
}

static const struct setting *find_setting(const struct setting *settings, size_t count,
                                          const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

bool config_group_read(void *base, config_setting_t *group, const struct setting *settings,
                       size_t count, const char *path, struct status *status)
{
    for (size_t i = 0; i < count; i++) {
        if (settings[i].required && config_setting_get_member(group, settings[i].name) == NULL)
            return config_value_fail(group, path, status, "has no %s", settings[i].name);
        config_value_default(base, &settings[i]);
    }
    for (int i = 0; i < config_setting_length(group); i++) {
        config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        const struct setting *setting = find_setting(settings, count, config_setting_name(member));

        if (setting == NULL)
            return config_value_fail(member, path, status, "is unknown");
        if (!config_value_read(base, setting, member, path, status))
            return false;
    }
    return true;
}

/* A text may be absent: NULL. */
static bool keep_text(char **to, const char *from, bool *differed)
{
    char *text = from != NULL ? OPENSSL_strdup(from) : NULL;

    *differed = *to == NULL || from == NULL ? *to != from : strcmp(*to, from) != 0;
    if (from != NULL && text == NULL)
        return false;
    OPENSSL_free(*to);
    *to = text;
    return true;
}

void config_names_free(struct config_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        OPENSSL_free(names->items[i]);
    OPENSSL_free(names->items);
    *names = (struct config_names){NULL, 0};
}

void config_value_default(void *base, const struct setting *setting)
{
    if (setting->type == SETTING_NUMBER)
        memcpy((char *)base + setting->offset, &setting->fallback, sizeof(setting->fallback));
}

bool config_value_keep(void *base, const void *running, const struct setting *setting,
                       bool *differed)
{
    void *to = (char *)base + setting->offset;
    const void *from = (const char *)running + setting->offset;

    switch (setting->type) {
    case SETTING_NUMBER:
        *differed = memcmp(to, from, sizeof(int64_t)) != 0;
        memcpy(to, from, sizeof(int64_t));
        return true;
    case SETTING_ADDRESS:
    case SETTING_LOOPBACK:
        *differed = strcmp(((struct address *)to)->text, ((const struct address *)from)->text) != 0;
        memcpy(to, from, sizeof(struct address));
        return true;
    case SETTING_NAME:
    case SETTING_FILE:
    case SETTING_WORD:
        return keep_text(to, *(char *const *)from, differed);
    case SETTING_SAES:
    case SETTING_NAMES:
    case SETTING_FLAG:
    case SETTING_MISBEHAVE:
    case SETTING_RULE_NAMES:
    case SETTING_FINGERPRINTS:
        break;
    }
    return false;
}
