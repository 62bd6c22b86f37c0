/* SPDX-License-Identifier: Apache-2.0 */
/* Whose certificate it is, by the rules of the configuration. */
#ifndef QKD_KME_SAE_RULES_H
#define QKD_KME_SAE_RULES_H

#include <stdbool.h>

#include "kme/config.h"
#include "kme/identity.h"

enum { SAE_RULES_WHY_BYTES = 320 };

/* The ID of the SAE of this site of which a rule fits. NULL, and why for the log, when there is
 * none, or when there are several. Valid until a reload. */
const char *sae_rules_find(const struct kme_config *config, const struct identity *identity,
                           char why[static SAE_RULES_WHY_BYTES]);

/* Whether it is the certificate of the peer key server of this link. */
bool sae_rules_is_peer(const struct config_link *link, const struct identity *identity);

#endif
