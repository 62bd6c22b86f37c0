/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key object of a group. Written once: an empty key becomes the peer's public one, or
 * generation makes it a private one, and then it does not change; only what an initiator or a
 * responder may do once with it is spent, and what came of that is noted.
 */
#ifndef QKD_PROVIDER_KEY_H
#define QKD_PROVIDER_KEY_H

#include <openssl/evp.h>

#include "base/key_id.h"
#include "provider/context.h"
#include "provider/offer.h"
#include "provider/used_key.h"

enum key_state {
    KEY_EMPTY,  /* the group is known, nothing else: what a server generates from parameters */
    KEY_PUBLIC, /* the peer's share: encapsulate with it */
    KEY_PRIVATE /* our own share: decapsulate with it */
};

struct key {
    struct context *context; /* borrowed; outlives every key */
    const struct group *group;
    enum key_state state;
    EVP_PKEY *inner;      /* NULL when empty */
    struct key_id key_id; /* of the share; all zero asks the server to be the initiator */
    uint8_t *share;       /* inner public key and key_id, as on the wire; NULL when empty */
    size_t share_length;  /* octets */
    struct offer *offer;  /* what our side has reserved; only in a private key */
    struct used_key used; /* the QKD key that came of it */
};

struct key *key_new(struct context *context, enum group_index index);
void key_free(struct key *key);

/* Makes an empty key a private one: an inner key pair and, if our client is the initiator,
 * a reservation at the key server. The only place that generation may reach a key server. */
bool key_generate(struct key *key, struct status *status);

/* Whether it makes sense to decode a peer's share: not while all key servers are left out. Local;
 * asks nobody. A mistake in the settings shows when the key is used. */
bool key_may_receive(const struct key *key, struct status *status);

/* Makes an empty key the public one of these octets. Local and cheap; asks no key server. */
bool key_set_share(struct key *key, const uint8_t *share, size_t length, struct status *status);

/* A copy without the private half unless `with_private`. Both share one offer, which is spent
 * once. NULL, and *status, on failure. */
struct key *key_copy(const struct key *key, bool with_private, struct status *status);

#endif
