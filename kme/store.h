/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key material of one link, as this end holds it. Unassigned material is blocks of 256 bits
 * with random IDs; each belongs to one of the two key servers, which alone may cut keys for its
 * initiators from it. The other one cuts the same key when it learns of the assignment, and
 * holds it for its responders: delivered once to each, wiped after the last or when its time is
 * over.
 *
 * All that leaves the store is wiped there. Nothing here knows sockets or HTTP.
 */
#ifndef QKD_KME_STORE_H
#define QKD_KME_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key_id.h"
#include "base/secret.h"
#include "base/status.h"
#include "etsi/etsi014.h"
#include "kme/names.h"

enum {
    BLOCK_BITS = 256,
    BLOCK_BYTES = BLOCK_BITS / 8,
    KEY_MAX_BLOCKS = SECRET_MAX_BYTES / BLOCK_BYTES,
    STORE_KEYS_MAX = 262144 /* keys held for responders, and as many remembered for initiators */
};

enum block_owner { BLOCK_OURS, BLOCK_PEERS, BLOCK_OWNERS };

struct block {
    struct key_id id;
    enum block_owner owner;
    uint8_t octets[BLOCK_BYTES]; /* secret */
};

/* One key: which blocks it was cut from and whom it is for. No secret. */
struct assignment {
    struct key_id key_id; /* the ID of the first block */
    uint32_t size_bits;   /* a multiple of 8; surplus bits of the blocks are burnt at both ends */
    uint32_t lifetime_s;
    char initiator[ETSI014_ID_MAX_CHARS + 1];
    struct names responders; /* behind the other end of the link; at least one */
    size_t block_count;
    struct key_id blocks[KEY_MAX_BLOCKS];
};

/* A key that came to this end otherwise than by a cut from this link's blocks. No secret. */
struct relayed_key {
    struct key_id key_id;
    uint32_t lifetime_s;
    char initiator[ETSI014_ID_MAX_CHARS + 1];
    struct names responders;
};

/* Blocks that a key of this size takes. */
size_t store_blocks_for(uint32_t size_bits);

struct store;

/* An empty store; NULL when out of memory. */
struct store *store_new(void);
void store_free(struct store *store);

/* Adds a copy of a block. With a sequence (rising, from 1 on) it is pending: it waits for the other
 * end before it can be reserved here; with 0 it is usable at once. False when the ID is known
 * already, or when out of memory. */
bool store_add(struct store *store, const struct block *block, uint64_t sequence);

/* Pending blocks up to this sequence are at the other end too, and usable. Returns how many. */
size_t store_confirm(struct store *store, uint64_t through);

/* Wipes the blocks that wait for the other end, or all that are unassigned; returns how many. */
size_t store_drop_pending(struct store *store);
size_t store_drop_unassigned(struct store *store);

/* Blocks that can be reserved by their owner; pending ones of both owners. */
size_t store_usable(const struct store *store, enum block_owner owner);
size_t store_pending(const struct store *store, enum block_owner owner);

/* Initiator's side: cuts a key from our own usable blocks and remembers whose it is until its
 * lifetime ends. On entry size_bits, lifetime_s, initiator and responders of the assignment are
 * set, the rest is filled in. The key is owned by the caller. */
bool store_reserve(struct store *store, struct assignment *assignment, int64_t now_ns,
                   struct secret **key, struct status *status);

/* Responder's side: the same cut from the peer's blocks, held for the responders. False when a
 * block is not there, or not the peer's; nothing is taken then. *displaced_bits receives the size
 * of the key that had to make room, else 0. */
bool store_assign(struct store *store, const struct assignment *assignment, int64_t now_ns,
                  uint64_t *displaced_bits, struct status *status);

/* Responder's side: holds a key, and owns it whatever comes of it. False when its ID is known
 * already, or when out of memory. *displaced_bits as above. */
bool store_hold(struct store *store, const struct relayed_key *relayed, struct secret *key,
                int64_t now_ns, uint64_t *displaced_bits, struct status *status);

/* Octets cut for a chunk of a key stream (ETSI GS QKD 004): which blocks. No secret. */
struct cut {
    uint32_t size_bytes; /* 1 to SECRET_MAX_BYTES; surplus bits of the blocks are burnt */
    size_t block_count;
    struct key_id blocks[KEY_MAX_BLOCKS];
};

/* Cuts from our own usable blocks. On entry size_bytes is set, the rest is filled in. */
bool store_cut_ours(struct store *store, struct cut *cut, struct secret **key,
                    struct status *status);

/* The same cut from the peer's blocks. False when a block is not there, or not the peer's;
 * nothing is taken then. */
bool store_cut_peers(struct store *store, const struct cut *cut, struct secret **key,
                     struct status *status);

enum claim_state {
    CLAIM_READY,       /* held for this responder, who has not had it, from this initiator */
    CLAIM_EXPECTED,    /* unassigned material of the peer: its assignment may be on its way */
    CLAIM_UNKNOWN,     /* never known, delivered, expired, or from another initiator */
    CLAIM_UNAUTHORISED /* known, but the caller is none of its responders */
};

enum claim_state store_look(const struct store *store, const struct key_id *id,
                            const char *responder, const char *initiator, int64_t now_ns);

/* Delivers a key that is CLAIM_READY for this responder: a copy while others are left, the key
 * itself to the last one; owned by the caller. NULL if it is not, or when out of memory. */
struct secret *store_claim(struct store *store, const struct key_id *id, const char *responder);

/* Wipes what has outlived its lifetime; returns the bits of held keys among it. */
uint64_t store_expire(struct store *store, int64_t now_ns);

#endif
