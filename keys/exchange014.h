/* SPDX-License-Identifier: Apache-2.0 */
/* One request to an ETSI 014 key server and its answer, over kept connections. */
#ifndef QKD_KEYS_EXCHANGE014_H
#define QKD_KEYS_EXCHANGE014_H

#include "base/buf.h"
#include "base/deadline.h"
#include "base/log.h"
#include "base/status.h"
#include "keys/connection_pool.h"
#include "net/endpoint.h"
#include "net/http.h"

struct exchange014 {
    struct endpoint *endpoint;    /* borrowed */
    const struct log *log;        /* borrowed, may be NULL */
    struct connection_pool *pool; /* owned by whoever owns this */
};

/* Leaves an open connection in the pool. */
bool exchange014_prepare(const struct exchange014 *exchange, const struct deadline *deadline,
                         struct status *status);

/* Whether a request may be sent again when a kept connection dies before it is answered. */
enum repeatable { REPEAT_NEVER, REPEAT_ONCE };

/* Sends `request` and reads one response, whatever its code, into *response (initialised by the
 * caller, freed by the caller). The status does not name the key server; callers do. */
bool exchange014(const struct exchange014 *exchange, const struct buf *request,
                 enum repeatable repeatable, const struct deadline *deadline,
                 struct http_response *response, struct status *status);

#endif
