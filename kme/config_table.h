/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in the configuration file, as data. Private to config*.c. */
#ifndef QKD_KME_CONFIG_TABLE_H
#define QKD_KME_CONFIG_TABLE_H

#include "kme/config.h"

enum setting_type {
    SETTING_NAME,         /* an ID: char * */
    SETTING_FILE,         /* a path: char * */
    SETTING_WORD,         /* other text: char * */
    SETTING_ADDRESS,      /* struct address */
    SETTING_LOOPBACK,     /* struct address that only this machine reaches */
    SETTING_NUMBER,       /* int64_t */
    SETTING_SAES,         /* list of groups: struct config_saes */
    SETTING_NAMES,        /* array or list of names: struct config_names */
    SETTING_RULE_NAMES,   /* a name, or a list of them: struct config_names */
    SETTING_FINGERPRINTS, /* a SHA-256, or a list of them: struct config_fingerprints */
    SETTING_FLAG,         /* bool: true or false */
    SETTING_MISBEHAVE     /* list of groups: struct config_misbehave */
};

struct setting {
    const char *group; /* "" for the top level */
    const char *name;
    enum setting_type type;
    size_t offset; /* in struct kme_config, config_link or config_sae */
    bool required;
    bool fixed; /* takes effect at a start only */
    int64_t min, max, fallback;
};

extern const struct setting config_settings[];
extern const size_t config_setting_count;

/* Of one SAE of this site. */
extern const struct setting config_sae_settings[];
extern const size_t config_sae_setting_count;

/* Of one link. */
extern const struct setting config_link_settings[];
extern const size_t config_link_setting_count;

/* The groups that may stand at the top level, ended by NULL. */
extern const char *const config_groups[];

/* Those that may be left out together with what they require, ended by NULL. */
extern const char *const config_optional_groups[];

#endif
