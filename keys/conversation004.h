/* SPDX-License-Identifier: Apache-2.0 */
/* The conversation of ETSI GS QKD 004: OPEN_CONNECT of several streams, whose calls travel
 * together. Not for the dialect W2, which has a connection for each call. */
#ifndef QKD_KEYS_CONVERSATION004_H
#define QKD_KEYS_CONVERSATION004_H

#include "keys/client004.h"
#include "keys/conversation.h"

enum { CONVERSATION004_STREAMS_MAX = 32 };

struct conversation004;

/* Begins it: for `number` streams (at most CONVERSATION004_STREAMS_MAX at a time) that are opened
 * as *open says, or for 0 to learn whether the key server takes a connection: the standard has no
 * call that costs nothing. Borrows the client. NULL, and *status, on failure. */
struct conversation004 *conversation004_begin(struct client004 *client,
                                              const struct etsi004_open *open, size_t number,
                                              struct status *status);

/* Looks at what came of one OPEN_CONNECT. False, and *status, when it is of no use. */
typedef bool opened_fn(void *argument, const struct etsi004_open_answer *answer,
                       struct status *status);

/* Goes on as far as the deadline allows; each answer is passed on, a refusal does not keep the
 * others from being. */
enum conversation_state conversation004_advance(struct conversation004 *conversation,
                                                const struct deadline *deadline, opened_fn *opened,
                                                void *argument, struct status *status);

/* A number that grows whenever the key server was heard of. */
uint64_t conversation004_progress(const struct conversation004 *conversation);

/* Ends it wherever it is; streams whose answers were not read end with their TTL. */
void conversation004_end(struct conversation004 *conversation);

/* For a forked child: sends nothing. */
void conversation004_abandon(struct conversation004 *conversation);

#endif
