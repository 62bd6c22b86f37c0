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

/* Sends a request and waits for no answer. */
bool exchange014_post(struct kept_connection *kept, const struct buf *request,
                      const struct deadline *deadline, struct status *status);

/* Reads on in the response to it: ANSWERED when it is whole. Otherwise *status says why not;
 * after OUTCOME_TIMEOUT the rest may still come, and this may be called again. */
enum progress exchange014_read(struct kept_connection *kept, struct http_response *response,
                               const struct deadline *deadline, struct status *status);

/* Whether the connection is fit for another request after this response. */
bool exchange014_is_clean(const struct kept_connection *kept, const struct http_response *response);

#endif
