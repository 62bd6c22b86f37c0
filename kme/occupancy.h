/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of one service against limits.max_connections. */
#ifndef QKD_KME_OCCUPANCY_H
#define QKD_KME_OCCUPANCY_H

#include <stdbool.h>
#include <stdint.h>

#include "kme/env.h"

/* All zeros is an empty one. */
struct occupancy {
    int64_t count; /* open connections, kept by the service */
    bool told_full;
};

/* Whether no more may be accepted. Logs it under the name of the service when the limit is
 * reached, and again only after there was room. */
bool occupancy_is_full(struct occupancy *occupancy, const struct env *env, const char *name);

#endif
