/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the store. Private to store*.c. */
#ifndef QKD_KME_STORE_PARTS_H
#define QKD_KME_STORE_PARTS_H

#include <sys/queue.h>

#include "kme/id_table.h"
#include "kme/shelf.h"
#include "kme/store.h"

#define NS_PER_S INT64_C(1000000000)

struct segment;

struct block_entry {
    struct key_id id; /* first: see id_table.h */
    struct segment *segment;
    uint32_t listed; /* the inventory of the peer in which it was last */
    uint8_t octets[BLOCK_BYTES];
    TAILQ_ENTRY(block_entry) next;
};

struct segment {
    struct key_id id; /* first: see id_table.h */
    enum block_owner owner;
    enum segment_state state; /* written by segment_move only */
    bool shelved;             /* a copy was put on the shelf */
    bool peer_open;           /* the other end has opened it; matters for our own */
    bool at_risk;             /* no copy is on the shelf: a crash loses it */
    bool listed_assigned;     /* the peer has cut from it and will say so */
    uint64_t take_ticket;     /* of erasing the copy; 0 before */
    uint64_t sequence;        /* while pending */
    size_t count;
    TAILQ_HEAD(, block_entry) blocks; /* oldest first; never empty */
    TAILQ_ENTRY(segment) next;
};

/* Held keys that were put to rest together, as one item of the shelf. */
struct key_batch {
    struct key_id id;     /* of the item: its first key's */
    uint64_t take_ticket; /* of erasing the item; 0 before */
    size_t count;
    TAILQ_HEAD(batched_keys, key_entry) keys;
    TAILQ_ENTRY(key_batch) next;
};

enum key_list { LIST_HOT, LIST_RESTING, LIST_REMEMBERED, KEY_LISTS };

struct key_entry {
    struct key_id id; /* first: see id_table.h */
    enum key_list list;
    struct secret *key; /* NULL when only remembered: the initiator has it */
    uint32_t size_bits; /* of the key */
    int64_t since_ns, expires_ns;
    struct key_batch *batch; /* while it rests */
    TAILQ_ENTRY(key_entry) next, next_in_batch;
    uint32_t left;          /* bit i: responder i has not had it */
    const char *responders; /* see names.h */
    size_t responders_bytes;
    size_t size_bytes; /* of this entry, names included */
    char initiator[];  /* and the responders behind its NUL */
};

/* An item of the shelf that could not be read, and is to be erased with the next tick. */
struct spent_item {
    enum shelf_kind kind;
    struct key_id id;
    STAILQ_ENTRY(spent_item) next;
};

TAILQ_HEAD(segment_queue, segment);
TAILQ_HEAD(key_queue, key_entry);

struct store {
    struct shelf *shelf; /* NULL: in memory */
    char peer[ETSI014_ID_MAX_CHARS + 1];
    uint64_t settled; /* the highest ticket */
    struct id_table blocks, segments, keys;
    struct segment_queue lists[BLOCK_OWNERS][SEGMENT_STATES];
    size_t counts[BLOCK_OWNERS][SEGMENT_STATES]; /* blocks */
    struct key_queue key_lists[KEY_LISTS];
    size_t key_counts[KEY_LISTS];
    TAILQ_HEAD(, key_batch) batches_opening;
    STAILQ_HEAD(, spent_item) spent;
    size_t blocks_at_risk;      /* see store_risk.c, */
    uint64_t keys_at_risk_bits; /* which alone writes what follows */
    uint64_t noted_risk_bits;   /* what the shelf says a crash would lose at most */
    bool noted_risk_is_old;     /* it says what the last process noted */
    uint32_t inventories;
};

/* store_segments.c */
void segment_move(struct store *store, struct segment *segment, enum segment_state state);
bool segment_has_left_shelf(const struct store *store, const struct segment *segment);
/* Open, if it may be. */
bool segment_settle(struct store *store, struct segment *segment);
/* Queues the erasure of its copy, and says that it was opened. False when the shelf refuses. */
bool segment_take(struct store *store, struct segment *segment);
/* Pending no more: rests or is open, as it was made. */
void segment_arrive(struct store *store, struct segment *segment);
/* Adds one with its blocks, in no list and of no shelf yet. NULL as store_add is false. */
struct segment *segment_new(struct store *store, const struct segment_head *head,
                            const struct block *blocks, size_t count);
void segment_enlist(struct store *store, struct segment *segment, enum segment_state state);
/* Wipes a block; a segment ends with its last one. */
void block_drop(struct store *store, struct block_entry *block);
size_t segment_drop(struct store *store, struct segment *segment);

/* store_keys.c */
struct key_entry *key_new(const struct relayed_key *about, enum key_list list, int64_t now_ns);
struct key_entry *key_of(const struct assignment *assignment, enum key_list list, int64_t now_ns);
/* Takes the entry over; on false it is freed. */
bool key_keep(struct store *store, struct key_entry *entry);
void key_free(struct key_entry *entry);
void key_drop(struct store *store, struct key_entry *entry);
void key_move(struct store *store, struct key_entry *entry, enum key_list list, bool to_head);
/* Bounds what is held, or remembered; returns the bits of the held key that had to go. */
uint64_t key_displace(struct store *store, enum key_list list);

/* store_rest.c */
/* Puts a copy on the shelf; a segment that the shelf refuses is in memory only. */
void rest_segment(struct store *store, struct segment *segment);
void rest_erase_later(struct store *store, enum shelf_kind kind, const struct key_id *id);

/* store_risk.c */
/* The segment has no copy on the shelf any more, or never had one. */
void risk_add_segment(struct store *store, struct segment *segment);
void risk_drop_segment(struct store *store, struct segment *segment);
/* The shelf says enough, with the transaction that is under way or its own. False when it refuses.
 */
bool risk_note(struct store *store);
/* The transaction that risk_note was part of was refused. */
void risk_forget_note(struct store *store);
/* The shelf says no more than is true. */
void risk_tick(struct store *store);
/* All that was at risk is on the shelf. */
void risk_end(struct store *store);
bool risk_load(struct store *store, uint64_t *bits, struct status *status);

/* store_rest_keys.c */
void rest_keys(struct store *store, int64_t before_ns, int64_t now_ns);
bool rest_load_keys(struct store *store, int64_t now_ns, struct store_loaded *loaded,
                    struct status *status);
void batch_settle(struct store *store, void (*ready)(void *arg, const struct key_id *key_id),
                  void *arg);
/* Makes the keys hot whose item is being erased: only for putting them to rest again. */
void rest_opening_keys(struct store *store);
/* Before a key leaves its batch. */
void batch_leave(struct store *store, struct key_entry *entry);

#endif
