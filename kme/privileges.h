/* SPDX-License-Identifier: Apache-2.0 */
/* Which account the key server runs as. */
#ifndef QKD_KME_PRIVILEGES_H
#define QKD_KME_PRIVILEGES_H

#include <stdbool.h>

#include "base/status.h"

/* Whether the process runs, or could change to run, as `user` ("": not said): root must be told
 * to stay root by that name, and only root can become somebody else. */
bool privileges_check(const char *user, struct status *status);

/* Becomes `user` for good: no other groups, no capabilities, no way back, and none by exec(2).
 * Does only the last where we are `user` already. For the only thread of a process. */
bool privileges_drop(const char *user, struct status *status);

#endif
