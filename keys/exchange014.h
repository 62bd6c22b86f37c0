/* SPDX-License-Identifier: Apache-2.0 */
/* One request to an ETSI 014 key server and its answer, over kept connections. */
#ifndef QKD_KEYS_EXCHANGE014_H
#define QKD_KEYS_EXCHANGE014_H

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"
#include "keys/connection_pool.h"
#include "keys/repeatable.h"
#include "net/http.h"

/* Sends `request` and reads one response, whatever its code, into *response (initialised by the
 * caller, freed by the caller). The status does not name the key server; callers do. */
bool exchange014(struct connection_pool *pool, const struct buf *request,
                 enum repeatable repeatable, const struct deadline *deadline,
                 struct http_response *response, struct status *status);

#endif
