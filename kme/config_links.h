/* SPDX-License-Identifier: Apache-2.0 */
/* The links in the configuration file: one group `link`, or a list `links` of such groups. Private
 * to config*.c. */
#ifndef QKD_KME_CONFIG_LINKS_H
#define QKD_KME_CONFIG_LINKS_H

#include <libconfig.h>

#include "kme/config.h"

/* Whether this stands for links at the top level of the file. */
bool config_links_is_name(const char *name);

/* Reads and checks all links. saes and kme_id are there already: no SAE may be in two places. */
bool config_links_read(struct kme_config *config, config_setting_t *root, const char *path,
                       struct status *status);
void config_links_free(struct kme_config *config);

/* See kme_config_keep_fixed. The links are those of `running` afterwards. */
bool config_links_keep_fixed(struct kme_config *config, const struct kme_config *running,
                             const struct log *log);

#endif
