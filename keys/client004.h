/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of one ETSI GS QKD 004 key server: OPEN_CONNECT, GET_KEY and CLOSE (clause 6.1) over
 * kept connections. Several calls can travel together, so that they cost one round trip.
 *
 * Thread-safe; no lock is held while it waits. A forked child starts with no connection.
 */
#ifndef QKD_KEYS_CLIENT004_H
#define QKD_KEYS_CLIENT004_H

#include "base/deadline.h"
#include "base/log.h"
#include "base/status.h"
#include "etsi/etsi004.h"
#include "keys/connection_pool.h"
#include "keys/repeatable.h"
#include "keys/settings.h"
#include "net/endpoint.h"

struct client004;

/* Borrows the endpoint and the log for its lifetime. No network. NULL when out of memory. */
struct client004 *client004_new(struct endpoint *endpoint, enum dialect004 dialect,
                                const struct log *log);

/* Drops the idle connections and sends nothing: this runs in forked children and at exit. */
void client004_free(struct client004 *client);

/* Sees to it that a connection is open and idle; sends no request. */
bool client004_prepare(struct client004 *client, const struct deadline *deadline,
                       struct status *status);

enum call004_kind { CALL004_OPEN_CONNECT, CALL004_GET_KEY, CALL004_CLOSE };

/* One call; the member of the request is set by the caller, that of the answer by the client. */
struct call004 {
    enum call004_kind kind;
    union {
        const struct etsi004_open *open;
        struct etsi004_get_key get_key;
        struct key_id close;
    } request;
    union {
        struct etsi004_open_answer *open;
        struct etsi004_key_answer *get_key; /* its key is the caller's */
    } answer;
};

enum { CALLS004_MAX = 2 };

/* Sends all calls at once and waits for all answers. False when one did not come or is malformed
 * (*status names the key server), not when it is a refusal; no key is owned then. */
bool client004_call(struct client004 *client, struct call004 *calls, size_t count,
                    enum repeatable repeatable, const struct deadline *deadline,
                    struct status *status);

/* Sends CLOSE over an idle connection, if there is one, and waits for nothing: what does not
 * arrive ends with the stream's TTL. */
void client004_post_close(struct client004 *client, const struct key_id *stream_id);

/* Puts a refusal into words that name the key server, with the outcome that fits; returns
 * false. */
bool client004_refused(const struct client004 *client, const char *function,
                       enum etsi004_outcome outcome, struct status *status);

/* Whether OPEN_CONNECT opened the stream, in the dialect of this key server. */
bool client004_is_open(const struct client004 *client, const struct etsi004_open_answer *answer);

/* Octets of metadata that GET_KEY should ask for. */
uint32_t client004_metadata_bytes(const struct client004 *client);

/* For who waits otherwise (keys/conversation004.h). */
struct connection_pool *client004_connections(struct client004 *client);
struct endpoint *client004_endpoint(const struct client004 *client);
enum etsi004_profile client004_profile(const struct client004 *client);
bool client004_keeps_connections(const struct client004 *client); /* W2 has one for each call */

#endif
