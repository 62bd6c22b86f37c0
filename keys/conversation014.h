/* SPDX-License-Identifier: Apache-2.0 */
/* The conversation of ETSI GS QKD 014: Get status, if its limits are not known yet, and Get key. */
#ifndef QKD_KEYS_CONVERSATION014_H
#define QKD_KEYS_CONVERSATION014_H

#include "keys/client014.h"
#include "keys/conversation.h"

struct conversation014;

/* Begins it: for up to `number` keys, or for 0 to learn whether the key server answers. Borrows
 * the client and the peer's name. Waits for nothing but the resolution of a name. NULL, and
 * *status, on failure. */
struct conversation014 *conversation014_begin(struct client014 *client, const char *peer_sae,
                                              size_t number, int64_t size_bits,
                                              struct status *status);

/* Goes on as far as the deadline allows. *status tells why it failed. */
enum conversation_state conversation014_advance(struct conversation014 *conversation,
                                                const struct deadline *deadline,
                                                const struct taker *taker, struct status *status);

/* A number that grows whenever the key server was heard of. */
uint64_t conversation014_progress(const struct conversation014 *conversation);

/* Ends it wherever it is. A connection on which nothing is under way is kept. */
void conversation014_end(struct conversation014 *conversation);

/* For a forked child: sends nothing. */
void conversation014_abandon(struct conversation014 *conversation);

#endif
