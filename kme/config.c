/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "kme/config_links.h"
#include "kme/config_saes.h"
#include "kme/config_value.h"

enum { KEY_TEXT_BYTES = 64 };

static bool is_group(const char *name)
{
    for (size_t i = 0; config_groups[i] != NULL; i++)
        if (strcmp(config_groups[i], name) == 0)
            return true;
    return false;
}

static bool is_setting(const char *group, const char *name)
{
    for (size_t i = 0; i < config_setting_count; i++)
        if (strcmp(config_settings[i].group, group) == 0 &&
            strcmp(config_settings[i].name, name) == 0)
            return true;
    return false;
}

static bool refuse_unknown(config_setting_t *group, const char *group_name, const char *path,
                           struct status *status)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(member);

        if (group_name[0] == '\0' && is_group(name)) {
            if (config_setting_type(member) != CONFIG_TYPE_GROUP)
                return config_value_fail(member, path, status, "is not a group { … }");
            if (!refuse_unknown(member, name, path, status))
                return false;
        } else if (!is_setting(group_name, name) &&
                   (group_name[0] != '\0' || !config_links_is_name(name))) {
            return config_value_fail(member, path, status, "is unknown");
        }
    }
    return true;
}

static const char *key_text(const struct setting *setting, char text[static KEY_TEXT_BYTES])
{
    snprintf(text, KEY_TEXT_BYTES, "%s%s%s", setting->group, setting->group[0] != '\0' ? "." : "",
             setting->name);
    return text;
}

static bool is_left_out(const config_t *file, const struct setting *setting)
{
    for (size_t i = 0; config_optional_groups[i] != NULL; i++)
        if (strcmp(setting->group, config_optional_groups[i]) == 0)
            return config_lookup(file, config_optional_groups[i]) == NULL;
    return false;
}

static bool read_setting(struct kme_config *config, config_t *file, const struct setting *setting,
                         const char *path, struct status *status)
{
    char key[KEY_TEXT_BYTES];
    config_setting_t *value = config_lookup(file, key_text(setting, key));

    if (value != NULL)
        return config_value_read(config, setting, value, path, status);
    if (setting->required && !is_left_out(file, setting))
        return status_fail(status, OUTCOME_CONFIG, "%s: %s is missing", path, key);
    config_value_default(config, setting);
    return true;
}

static bool check_004(struct kme_config *config, const char *path, struct status *status)
{
    const struct {
        const char *fallback, *most;
        int64_t fallback_value, most_value;
    } pairs[] = {
        {"default_chunk_bytes", "max_chunk_bytes", config->limits.default_chunk_bytes,
         config->limits.max_chunk_bytes},
        {"default_timeout_ms", "max_timeout_ms", config->limits.default_timeout_ms,
         config->limits.max_timeout_ms},
        {"default_ttl_s", "max_ttl_s", config->limits.default_ttl_s, config->limits.max_ttl_s},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (pairs[i].fallback_value > pairs[i].most_value)
            return status_fail(status, OUTCOME_CONFIG, "%s: limits: %s <= %s does not hold", path,
                               pairs[i].fallback, pairs[i].most);
    if (config->etsi004.compat == NULL)
        config->etsi004.compat = OPENSSL_strdup("strict");
    if (config->etsi004.compat == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for the configuration");
    if (strcmp(config->etsi004.compat, "strict") != 0 &&
        strcmp(config->etsi004.compat, "qubip") != 0)
        return status_fail(status, OUTCOME_CONFIG,
                           "%s: etsi004.compat = \"%s\" is neither strict nor qubip", path,
                           config->etsi004.compat);
    return true;
}

/* What no single value shows. */
static bool check_whole(struct kme_config *config, const char *path, struct status *status)
{
    struct log *probe;

    if (config->log_level == NULL)
        config->log_level = OPENSSL_strdup("info");
    if (config->user == NULL)
        config->user = OPENSSL_strdup("");
    if (config->log_level == NULL || config->user == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for the configuration");
    probe = strchr(config->log_level, ':') != NULL ? NULL
                                                   : log_open(config->log_level, "qkd-kme", status);
    if (probe == NULL)
        return status_fail(status, OUTCOME_CONFIG, "log level '%s' has more than a level",
                           config->log_level) ||
               status_prefix(status, "%s: log_level", path);
    log_close(probe);
    if (config->store.path == NULL)
        config->store.window_bits = 0;
    if (config->limits.min_key_bits > config->limits.default_key_bits ||
        config->limits.default_key_bits > config->limits.max_key_bits)
        return status_fail(
            status, OUTCOME_CONFIG,
            "%s: limits: min_key_bits <= default_key_bits <= max_key_bits does not hold", path);
    if (!check_004(config, path, status))
        return false;
    if (config->limits.default_key_bits % 8 != 0)
        return status_fail(status, OUTCOME_CONFIG,
                           "%s: limits.default_key_bits is not a multiple of 8", path);
    return true;
}

static bool check_fingerprints(const struct kme_config *config, const struct config_sae *sae,
                               const char *path, struct status *status)
{
    for (size_t i = 0; i < config->links.count; i++)
        if (config_fingerprints_meet(&sae->fingerprints, &config->links.items[i].peer_fingerprints))
            return status_fail(status, OUTCOME_CONFIG,
                               "%s: saes: '%s' has the fingerprint of peer key server '%s'", path,
                               sae->id, config->links.items[i].peer_kme_id);
    return true;
}

/* The certificate of a key server must not pass for one of an SAE. */
static bool check_names(const struct kme_config *config, const char *path, struct status *status)
{
    for (size_t i = 0; i < config->saes.count; i++) {
        const struct config_names *cns = &config->saes.items[i].cns;

        for (size_t j = 0; j < cns->count; j++)
            if (strcmp(cns->items[j], config->kme_id) == 0 ||
                kme_config_link(config, cns->items[j]) != NULL)
                return status_fail(status, OUTCOME_CONFIG,
                                   "%s: saes: '%s' is the CN of a key server", path, cns->items[j]);
        if (!check_fingerprints(config, &config->saes.items[i], path, status))
            return false;
    }
    return true;
}

static bool check_misbehave(const struct kme_config *config, const char *path,
                            struct status *status)
{
    for (size_t i = 0; i < config->misbehave.count; i++) {
        const char *sae = config->misbehave.items[i].sae;

        if (sae[0] != '\0' && kme_config_sae(config, sae) == NULL)
            return status_fail(status, OUTCOME_CONFIG,
                               "%s: misbehave: sae = '%s' is no SAE of this site", path, sae);
    }
    return true;
}

static bool read_whole(struct kme_config *config, config_t *file, const char *path,
                       struct status *status)
{
    if (!refuse_unknown(config_root_setting(file), "", path, status))
        return false;
    for (size_t i = 0; i < config_setting_count; i++)
        if (!read_setting(config, file, &config_settings[i], path, status))
            return false;
    if (!config_links_read(config, config_root_setting(file), path, status))
        return false;
    return check_whole(config, path, status) && check_names(config, path, status) &&
           check_misbehave(config, path, status);
}

struct kme_config *kme_config_load(const char *path, struct status *status)
{
    struct kme_config *config = OPENSSL_zalloc(sizeof(*config));
    config_t file;
    bool done = false;

    config_init(&file);
    if (config == NULL)
        status_fail(status, OUTCOME_INTERNAL, "out of memory for the configuration");
    else if (access(path, R_OK) != 0) /* libconfig does not say why */
        status_fail(status, OUTCOME_CONFIG, "cannot read the configuration %s: %s", path,
                    strerror(errno));
    else if (config_read_file(&file, path) != CONFIG_TRUE)
        status_fail(status, OUTCOME_CONFIG, "%s:%d: %s", path, config_error_line(&file),
                    config_error_text(&file));
    else
        done = read_whole(config, &file, path, status);
    config_destroy(&file);
    if (!done) {
        kme_config_free(config);
        return NULL;
    }
    return config;
}

void kme_config_free(struct kme_config *config)
{
    if (config == NULL)
        return;
    config_saes_free(&config->saes);
    config_links_free(config);
    OPENSSL_free(config->misbehave.items);
    OPENSSL_free(config->kme_id);
    OPENSSL_free(config->cert);
    OPENSSL_free(config->key);
    OPENSSL_free(config->ca);
    OPENSSL_free(config->log_level);
    OPENSSL_free(config->user);
    OPENSSL_free(config->audit_log);
    OPENSSL_free(config->etsi004.compat);
    OPENSSL_free(config->store.path);
    OPENSSL_free(config->store.key_file);
    OPENSSL_free(config);
}

bool kme_config_keep_fixed(struct kme_config *config, const struct kme_config *running,
                           const struct log *log)
{
    char key[KEY_TEXT_BYTES];

    for (size_t i = 0; i < config_setting_count; i++) {
        const struct setting *setting = &config_settings[i];
        bool differed = false;

        if (!setting->fixed)
            continue;
        if (!config_value_keep(config, running, setting, &differed))
            return false;
        if (differed)
            log_line(log, LOG_LEVEL_WARN, "%s: the new value needs a restart; the old one stays",
                     key_text(setting, key));
    }
    return config_links_keep_fixed(config, running, log);
}

bool kme_config_has_004(const struct kme_config *config)
{
    return config->etsi004.listen.text[0] != '\0';
}

const struct config_sae *kme_config_sae(const struct kme_config *config, const char *id)
{
    for (size_t i = 0; i < config->saes.count; i++)
        if (strcmp(config->saes.items[i].id, id) == 0)
            return &config->saes.items[i];
    return NULL;
}
