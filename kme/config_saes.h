/* SPDX-License-Identifier: Apache-2.0 */
/* The SAEs of this site in the configuration file, and by what their certificates are known.
 * Private to config*.c. */
#ifndef QKD_KME_CONFIG_SAES_H
#define QKD_KME_CONFIG_SAES_H

#include <libconfig.h>

#include "kme/config.h"

bool config_saes_read(struct config_saes *saes, const config_setting_t *list, const char *path,
                      struct status *status);
void config_saes_free(struct config_saes *saes);

/* Whether a certificate is in both lists. */
bool config_fingerprints_meet(const struct config_fingerprints *a,
                              const struct config_fingerprints *b);

#endif
