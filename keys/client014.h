/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of one ETSI GS QKD 014 key server: the three methods of clause 5, over kept
 * connections. Thread-safe: each call uses a connection of its own, taken from those that are
 * idle; no lock is held while it waits. A forked child starts with no connection.
 */
#ifndef QKD_KEYS_CLIENT014_H
#define QKD_KEYS_CLIENT014_H

#include "base/deadline.h"
#include "base/log.h"
#include "base/status.h"
#include "etsi/etsi014.h"
#include "keys/connection_pool.h"
#include "net/http.h"

struct client014;

/* Borrows the endpoint and the log for its lifetime. No network. NULL when out of memory. */
struct client014 *client014_new(struct endpoint *endpoint, const struct log *log);

/* Drops the idle connections and sends nothing: this runs in forked children and at exit. */
void client014_free(struct client014 *client);

/* Sees to it that a connection is open and idle; sends no request. */
bool client014_prepare(struct client014 *client, const struct deadline *deadline,
                       struct status *status);

/* All three: `peer_sae` is the other SAE; on false *status names the key server and its answer.
 * *refusal (may be NULL) is set when the server answered something other than 200. */
bool client014_get_status(struct client014 *client, const char *peer_sae,
                          const struct deadline *deadline, struct etsi014_status *value,
                          struct status *status);

/* A reservation. Never repeated after the request may have reached the server. */
bool client014_get_key(struct client014 *client, const char *peer_sae, size_t number,
                       int64_t size_bits, const struct deadline *deadline,
                       struct etsi014_container *container, enum etsi014_refusal *refusal,
                       struct status *status);

/* A claim. The answer holds exactly the IDs asked for, in the order asked. */
bool client014_get_key_ids(struct client014 *client, const char *peer_sae, const struct key_id *ids,
                           size_t count, int64_t size_bits, const struct deadline *deadline,
                           struct etsi014_container *container, enum etsi014_refusal *refusal,
                           struct status *status);

/* For who waits otherwise (keys/conversation014.h): the connections; the octets of a request; and
 * what an answer to it says. */
struct connection_pool *client014_connections(struct client014 *client);
struct endpoint *client014_endpoint(const struct client014 *client);

bool client014_put_get_status(struct client014 *client, const char *peer_sae, struct buf *request,
                              struct status *status);
bool client014_put_get_key(struct client014 *client, const char *peer_sae, size_t number,
                           int64_t size_bits, struct buf *request, struct status *status);

bool client014_take_status(const struct http_response *response, struct etsi014_status *value,
                           struct status *status);
/* At least one key, each of this size. The container is empty on false. */
bool client014_take_keys(const struct http_response *response, int64_t size_bits,
                         struct etsi014_container *container, struct status *status);

/* Room for the body of an answer with so many keys. */
size_t client014_answer_max_bytes(size_t number);

/* What the key server's status said of keys in one request; 0: nobody knows yet. */
size_t client014_keys_per_request(const struct client014 *client);
void client014_set_keys_per_request(struct client014 *client, size_t number);

enum { CLIENT014_REQUEST_MAX_BYTES = 32768 };

#endif
