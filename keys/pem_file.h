/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the files that settings name. */
#ifndef QKD_KEYS_PEM_FILE_H
#define QKD_KEYS_PEM_FILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/status.h"

/* Reads the whole file into the empty buffer, whose maximum limits it. `path` may be NULL or
 * "". On false *status (OUTCOME_CONFIG) names setting, path and cause. */
bool pem_file_read(const char *setting, const char *path, struct buf *into, struct status *status);

#endif
