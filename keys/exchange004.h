/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to an ETSI 004 key server and their answers, over kept connections. */
#ifndef QKD_KEYS_EXCHANGE004_H
#define QKD_KEYS_EXCHANGE004_H

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"
#include "etsi/etsi004.h"
#include "keys/connection_pool.h"
#include "keys/repeatable.h"

/* Takes answer number `place`. False, and *status, when it is not what was asked for. */
typedef bool take_answer_fn(void *argument, size_t place, const struct etsi004_frame *frame,
                            struct status *status);

/* Sends `requests`, which hold `count` messages, and passes the answers on, which come in the same
 * order. The status does not name the key server; callers do. */
bool exchange004(struct connection_pool *pool, const struct buf *requests, size_t count,
                 enum repeatable repeatable, take_answer_fn *take, void *argument,
                 const struct deadline *deadline, struct status *status);

/* Reads on in the answers to `count` messages that were sent, of which *taken have come and been
 * passed on. False with OUTCOME_TIMEOUT: more may come, and this may be called again. */
bool exchange004_read(struct kept_connection *kept, size_t count, size_t *taken,
                      take_answer_fn *take, void *argument, const struct deadline *deadline,
                      struct status *status);

/* Keeps a connection if it is fit for another request. */
void exchange004_give_back(struct connection_pool *pool, struct kept_connection *kept);

/* Sends CLOSE over an idle connection if there is one. Its answer is read, and passed over, at the
 * connection's next use. */
void exchange004_post_close(struct connection_pool *pool, const struct buf *request);

/* One message over a connection of its own, for key servers that serve one each. */
bool exchange004_alone(struct connection_pool *pool, const struct buf *request, size_t place,
                       take_answer_fn *take, void *argument, const struct deadline *deadline,
                       struct status *status);

#endif
