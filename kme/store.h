/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key material of one link, as this end holds it. Unassigned material is blocks of 256 bits
 * with random IDs; each belongs to one of the two key servers, which alone may cut keys for its
 * initiators from it. The other one cuts the same key when it learns of the assignment, and
 * holds it for its responders: delivered once to each, wiped after the last or when its time is
 * over.
 *
 * Blocks live in segments: what one frame of the quantum channel brought, of one owner, the same at
 * both ends. All of it is in memory; with a shelf (shelf.h) what rests has a copy there, so that it
 * outlives a crash. The one rule: MATERIAL LEAVES THIS KEY SERVER ONLY AFTER ITS COPY HAS LEFT THE
 * SHELF DURABLY. So nothing that was delivered comes back, whenever this process ends. Segments are
 * opened ahead of need, so that no request waits for the disk.
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
    SEGMENT_BLOCKS_MAX = 128,
    STORE_KEYS_MAX = 262144, /* keys held for responders, and as many remembered for initiators */
    STORE_RISK_STEP_BITS = 65536 /* in which the shelf says what a crash would lose */
};

enum block_owner { BLOCK_OURS, BLOCK_PEERS, BLOCK_OWNERS };

struct block {
    struct key_id id;
    uint8_t octets[BLOCK_BYTES]; /* secret */
};

/* What a segment is besides its blocks. */
struct segment_head {
    struct key_id id;
    enum block_owner owner;
    bool rests; /* else it is born open, and never on a shelf */
};

enum segment_state {
    SEGMENT_PENDING_REST, /* made here, and not known to be at the other end */
    SEGMENT_PENDING_OPEN,
    SEGMENT_RESTING, /* not to be used: its copy is on the shelf, or the other end's may be */
    SEGMENT_OPENING, /* the copy is being erased, here, and for our own at the other end, too */
    SEGMENT_OPEN,    /* its owner may cut from it */
    SEGMENT_STATES
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

struct shelf;
struct store;

/* An empty store of the link to this peer; NULL when out of memory. The shelf is borrowed; without
 * one (NULL) nothing outlives the process. */
struct store *store_new(struct shelf *shelf, const char *peer_kme_id);

/* Wipes all that is in memory; what is on the shelf stays there. */
void store_free(struct store *store);

/* --- What outlives the process (store_rest.c) --- */

struct store_loaded {
    size_t blocks, keys;
    uint64_t lost_bits; /* that an end without store_rest_all may have lost: an upper bound */
};

/* Once, before anything else is done: what the last process left on the shelf. */
bool store_load(struct store *store, int64_t now_ns, struct store_loaded *loaded,
                struct status *status);

/* At the end of a clean stop: all that was not used goes back to the shelf. Nothing may be taken
 * from the store afterwards. */
void store_rest_all(struct store *store, int64_t now_ns);

/* Once a second: puts keys to rest that nobody claims, and tidies the shelf up. */
void store_tick(struct store *store, int64_t now_ns);

/* The shelf is settled up to this ticket. `ready` is told of each held key that can be claimed
 * now. Returns whether blocks of ours became usable. */
bool store_settled(struct store *store, uint64_t ticket,
                   void (*ready)(void *arg, const struct key_id *key_id), void *arg);

/* --- Segments (store_segments.c) --- */

/* Adds a segment and copies of its blocks: all of it, or nothing when an ID is known already, or
 * when out of memory. With a sequence (rising, from 1 on) it is pending until store_confirm. */
bool store_add(struct store *store, const struct segment_head *head, const struct block *blocks,
               size_t count, uint64_t sequence);

/* Pending segments up to this sequence are at the other end too. Returns how many blocks. */
size_t store_confirm(struct store *store, uint64_t through);

/* Wipes the segments that are pending; returns how many blocks. */
size_t store_drop_pending(struct store *store);

/* Blocks in segments of this owner and state; all that are unassigned. */
size_t store_blocks(const struct store *store, enum block_owner owner, enum segment_state state);
size_t store_unassigned(const struct store *store);

/* Those that can be cut now; those that can, or can soon without opening more; all but pending. */
size_t store_usable(const struct store *store, enum block_owner owner);
size_t store_at_hand(const struct store *store, enum block_owner owner);
size_t store_available(const struct store *store, enum block_owner owner);

/* Begins to open our oldest resting segments until `wanted` blocks are open or opening. Returns
 * how many were begun, at most max; the other end must be asked for each (`ids`). */
size_t store_open_ours(struct store *store, size_t wanted, struct key_id *ids, size_t max);

/* The other end has opened these segments of ours. Returns whether blocks became usable. */
bool store_opened_by_peer(struct store *store, const struct key_id *ids, size_t count);

/* The other end asks for segments of its own: begins to open those that rest. True when none of
 * them is on our shelf any more; else to be asked again after store_settled. */
bool store_open_peers(struct store *store, const struct key_id *ids, size_t count);

/* --- Keys and chunks (store_cut.c, store_keys.c) --- */

/* Initiator's side: cuts a key from our own usable blocks and remembers whose it is until its
 * lifetime ends. On entry size_bits, lifetime_s, initiator and responders of the assignment are
 * set, the rest is filled in. The key is owned by the caller. */
bool store_reserve(struct store *store, struct assignment *assignment, int64_t now_ns,
                   struct secret **key, struct status *status);

/* Responder's side: the same cut from the peer's open blocks, held for the responders. False when
 * a block is not there, not open, or not the peer's; nothing is taken then. *displaced_bits
 * receives the size of the key that had to make room, else 0. */
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

/* The same cut from the peer's open blocks. False when a block is not there, not open, or not the
 * peer's; nothing is taken then. */
bool store_cut_peers(struct store *store, const struct cut *cut, struct secret **key,
                     struct status *status);

/* After a cut of the peer's failed: wipes what is there of its blocks, for they have no twin any
 * more. */
void store_burn_peers(struct store *store, const struct key_id *blocks, size_t count);

enum claim_state {
    CLAIM_READY,       /* held for this responder, who has not had it, from this initiator */
    CLAIM_OPENING,     /* the same, but it rests, or its copy is being erased: store_wake */
    CLAIM_EXPECTED,    /* unassigned material of the peer: its assignment may be on its way */
    CLAIM_UNKNOWN,     /* never known, delivered, expired, or from another initiator */
    CLAIM_UNAUTHORISED /* known, but the caller is none of its responders */
};

enum claim_state store_look(const struct store *store, const struct key_id *id,
                            const char *responder, const char *initiator, int64_t now_ns);

/* Begins to open a held key that rests; store_settled tells when it is ready. */
void store_wake(struct store *store, const struct key_id *id);

/* Delivers a key that is CLAIM_READY for this responder: a copy while others are left, the key
 * itself to the last one; owned by the caller. NULL if it is not, or when out of memory. */
struct secret *store_claim(struct store *store, const struct key_id *id, const char *responder);

/* Wipes what has outlived its lifetime; returns the bits of held keys among it. */
uint64_t store_expire(struct store *store, int64_t now_ns);

/* --- Reconciliation with a peer that has started again (store_inventory.c) --- */

/* Calls `each` for all unassigned blocks. */
void store_inventory(struct store *store, void (*each)(void *arg, const struct key_id *block_id),
                     void *arg);

/* The other end tells its blocks: begin, then one by one; `assigned` when it has cut a key from
 * one that we must cut, too. */
void store_list_begin(struct store *store);
void store_list(struct store *store, const struct key_id *block_id, bool assigned);

/* It has told all: wipes what it lacks and returns how many blocks. What was pending and is there
 * is confirmed; *confirmed_blocks counts it. Our segments must be opened with the peer again. */
size_t store_reconcile(struct store *store, size_t *confirmed_blocks);

/* Opens the segments of the blocks that were listed as assigned; true when all of them are open.
 * Else to be asked again after store_settled. */
bool store_open_listed(struct store *store);

#endif
