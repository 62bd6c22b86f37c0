/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/occupancy.h"

#include "kme/config.h"

bool occupancy_is_full(struct occupancy *occupancy, const struct env *env, const char *name)
{
    bool full = occupancy->count >= env->config->limits.max_connections;

    if (full && !occupancy->told_full)
        log_line(env->log, LOG_LEVEL_WARN,
                 "%s connections are refused: max_connections = %lld are open", name,
                 (long long)occupancy->count);
    occupancy->told_full = full;
    return full;
}
