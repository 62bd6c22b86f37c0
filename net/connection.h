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

/* Begins one, for a caller who does not want to wait for it: resolves the name, within the
 * deadline, and starts to connect. Borrows the endpoint. NULL and *status (OUTCOME_KME,
 * OUTCOME_TIMEOUT, OUTCOME_CONFIG) on failure. */
struct connection *connection_begin(struct endpoint *endpoint, const struct deadline *deadline,
                                    struct status *status);

/* Goes on with it (every address in turn, then the TLS handshake) until the deadline; when that
 * has passed, as far as no waiting is needed. True: it is made. False with OUTCOME_TIMEOUT: it is
 * still being made, and may be advanced again, with a clear status. False with another outcome:
 * it has failed and is only to be abandoned. */
bool connection_advance(struct connection *connection, const struct deadline *deadline,
                        struct status *status);

/* Whether connection_advance has come to its good end. */
bool connection_is_made(const struct connection *connection);

/* A number that grows whenever the other end was heard of: it was reached, or octets came. */
uint64_t connection_progress(const struct connection *connection);

/* Both at once: a connection that is made, or NULL. */
struct connection *connection_open(struct endpoint *endpoint, const struct deadline *deadline,
                                   struct status *status);

/* Whether the TLS session of one that is made is that of an earlier one, with new keys. */
bool connection_is_resumed(const struct connection *connection);

/* The TLS version and the group of one that is made, for example "TLSv1.3" and "X25519MLKEM768". */
const char *connection_tls_version(const struct connection *connection);
const char *connection_group(const struct connection *connection);

/* Ends it with close_notify if that needs no waiting. NULL is allowed. */
void connection_close(struct connection *connection);

/* Closes the descriptor and frees, sending nothing: in a forked child the TLS session is the
 * parent's. NULL is allowed. */
void connection_abandon(struct connection *connection);

bool connection_send(struct connection *connection, const void *data, size_t length,
                     const struct deadline *deadline, struct status *status);

/* Appends at least one octet to `into`, or fails. *ended is set, and true returned with nothing
 * appended, when the key server closed the connection in an orderly way. With a deadline that has
 * passed it takes what is there without waiting; OUTCOME_TIMEOUT when nothing is, and then it may
 * be called again. */
bool connection_receive(struct connection *connection, struct buf *into, bool *ended,
                        const struct deadline *deadline, struct status *status);

/* Whether the key server has closed a connection that was idle, or sent something unasked. */
bool connection_is_stale(struct connection *connection);

#endif
