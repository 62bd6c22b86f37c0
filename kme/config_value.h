/* SPDX-License-Identifier: Apache-2.0 */
/* One value of the configuration file, by its type. Private to config*.c. */
#ifndef QKD_KME_CONFIG_VALUE_H
#define QKD_KME_CONFIG_VALUE_H

#include <libconfig.h>

#include "kme/config_table.h"

/* Reads a value that is in the file into *config. */
bool config_value_read(struct kme_config *config, const struct setting *setting,
                       config_setting_t *value, const char *path, struct status *status);

/* "PATH:LINE: KEY " and the sentence; returns false. */
bool config_value_fail(const config_setting_t *at, const char *path, struct status *status,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
