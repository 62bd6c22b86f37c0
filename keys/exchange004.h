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

/* Sends `requests`, which hold `count` messages, and passes the first `awaited` answers on; the
 * others are read at the connection's next use. Answers come in the order of requests. The
 * status does not name the key server; callers do. */
bool exchange004(struct connection_pool *pool, const struct buf *requests, size_t count,
                 size_t awaited, enum repeatable repeatable, take_answer_fn *take, void *argument,
                 const struct deadline *deadline, struct status *status);

/* Sends `request`, one message, over an idle connection if there is one, and reads no answer. For
 * what may as well not arrive. */
void exchange004_post(struct connection_pool *pool, const struct buf *request);

/* One message over a connection of its own, for key servers that serve one each. With `awaited`
 * 0 the answer is not read. */
bool exchange004_alone(struct connection_pool *pool, const struct buf *request, size_t place,
                       size_t awaited, take_answer_fn *take, void *argument,
                       const struct deadline *deadline, struct status *status);

#endif
