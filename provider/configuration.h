/* SPDX-License-Identifier: Apache-2.0 */
/* What the provider's section of openssl.cnf says, as the core hands it over at load. */
#ifndef QKD_PROVIDER_CONFIGURATION_H
#define QKD_PROVIDER_CONFIGURATION_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/core.h>

#include "base/status.h"
#include "keys/settings.h"
#include "provider/groups.h"

/* All texts belong to the core; NULL where the section says nothing. */
struct configuration {
    const char *provider_name;
    const char *settings[SETTING_COUNT];
    const char *code_points[GROUP_COUNT];
};

/* False only when the core cannot be asked. */
bool configuration_read(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
                        struct configuration *configuration);

bool configuration_has_no_code_point(const struct configuration *configuration);

/* Defaults, and what codepoint-GROUP says instead. A value that is no number, names a group of
 * others, or is given to two of ours becomes the fault (if there is none yet) and is not used. */
void configuration_code_points(const struct configuration *configuration,
                               uint16_t code_points[static GROUP_COUNT], struct status *fault);

#endif
