/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key server as it is now, as one JSON object, for the page and for qkdctl status: names,
 * figures and recent errors, never octets of keys. docs/key-server.md lists the members.
 */
#ifndef QKD_KME_OVERVIEW_H
#define QKD_KME_OVERVIEW_H

#include <stdbool.h>

#include "base/buf.h"
#include "kme/env.h"
#include "kme/peers.h"

enum {
    OVERVIEW_STREAMS_MAX = 100, /* the newest */
    OVERVIEW_SAES_MAX = 256     /* the last seen */
};

struct overview_health {
    bool ok;
    const struct buf *reasons; /* one a line */
};

void overview_put(const struct env *env, const struct peers *peers,
                  const struct overview_health *health, int64_t started_ns, struct buf *body);

#endif
