/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TLS connection to a key server, used by one thread at a time. Sockets are non-blocking
 * and every wait ends at the caller's deadline. No SIGPIPE is ever raised.
 */
#ifndef QKD_NET_CONNECTION_H
#define QKD_NET_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"
#include "net/endpoint.h"

struct connection;

/* Resolves, connects (every address in turn) and completes the TLS handshake. NULL and
 * *status (OUTCOME_KME, OUTCOME_TIMEOUT, OUTCOME_CONFIG) on failure. */
struct connection *connection_open(struct endpoint *endpoint, const struct deadline *deadline,
                                   struct status *status);

/* Ends it with close_notify if that needs no waiting. NULL is allowed. */
void connection_close(struct connection *connection);

/* Closes the descriptor and frees, sending nothing: in a forked child the TLS session is the
 * parent's. NULL is allowed. */
void connection_abandon(struct connection *connection);

bool connection_send(struct connection *connection, const void *data, size_t length,
                     const struct deadline *deadline, struct status *status);

/* Appends at least one octet to `into`, or fails. *ended is set, and true returned with nothing
 * appended, when the key server closed the connection in an orderly way. */
bool connection_receive(struct connection *connection, struct buf *into, bool *ended,
                        const struct deadline *deadline, struct status *status);

/* Whether the key server has closed a connection that was idle, or sent something unasked. */
bool connection_is_stale(struct connection *connection);

#endif
