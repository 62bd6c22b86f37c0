/* SPDX-License-Identifier: Apache-2.0 */
/* One value of the configuration file, by its type. Private to config*.c. */
#ifndef QKD_KME_CONFIG_VALUE_H
#define QKD_KME_CONFIG_VALUE_H

#include <libconfig.h>

#include "kme/config_table.h"

/* Reads a value that is in the file to its place in *base. */
bool config_value_read(void *base, const struct setting *setting, config_setting_t *value,
                       const char *path, struct status *status);

/* Reads all members of a group. Those that are required must be there, and no others but these. */
bool config_group_read(void *base, config_setting_t *group, const struct setting *settings,
                       size_t count, const char *path, struct status *status);

/* Whether the value is a list of at most so many. */
bool config_value_is_list(const config_setting_t *value, const char *what, int most,
                          const char *path, struct status *status);

/* What is not in the file: a number is its fallback. */
void config_value_default(void *base, const struct setting *setting);

/* Makes the value in *base that in *running; *differed says whether it was another. False when out
 * of memory. */
bool config_value_keep(void *base, const void *running, const struct setting *setting,
                       bool *differed);

void config_names_free(struct config_names *names);

/* The rules of misbehaviour on command. */
bool config_misbehave_read(struct config_misbehave *to, const config_setting_t *list,
                           const char *path, struct status *status);

/* "PATH:LINE: links[1].connect " and the sentence; returns false. */
bool config_value_fail(const config_setting_t *at, const char *path, struct status *status,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
