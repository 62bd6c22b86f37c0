/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A durable, sealed bag of items in one file: (kind, peer, ID) -> octets. It knows nothing of
 * blocks, keys or sessions. One thread of its own touches the file; whoever puts or takes goes on
 * at once with a ticket, and learns on the event loop when that is on the disk.
 *
 * What is taken does not come back once that has settled, and within seconds it is overwritten
 * with zeros in the file and in its log. Nothing may leave this key server that is on the shelf, or
 * whose taking has not settled.
 *
 * All functions: thread of the event loop only.
 */
#ifndef QKD_KME_SHELF_H
#define QKD_KME_SHELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key_id.h"
#include "base/status.h"
#include "etsi/etsi014.h"
#include "kme/env.h"

enum {
    SHELF_PEER_MAX_CHARS = ETSI014_ID_MAX_CHARS,
    SHELF_OCTETS_MAX = 131072,            /* of one item */
    SHELF_QUEUE_MAX_BYTES = 64 * 1048576, /* that wait for the disk */
    SHELF_SUBSCRIBERS_MAX = 1024
};

enum shelf_kind {
    SHELF_SEGMENT,   /* secret: unassigned blocks that rest */
    SHELF_KEY,       /* secret: a key held for responders that was put to rest */
    SHELF_OPENED,    /* not secret: how much a crash would lose, as it is on no shelf */
    SHELF_STREAM_ID, /* not secret: a Key_stream_ID that must never be opened again */
    SHELF_KINDS
};

struct shelf;

/* Called on the event loop, never from within a function below; an entry may be NULL. */
struct shelf_events {
    /* Every operation up to this ticket is on the disk. */
    void (*settled)(void *arg, uint64_t ticket);
    /* The disk refuses: what has not settled never will, nothing more is accepted. Once. */
    void (*failed)(void *arg, const struct status *status);
};

struct shelf_counts {
    uint64_t items;         /* in the file */
    uint64_t file_bytes;    /* the database and its log */
    uint64_t queued_bytes;  /* wait for the disk */
    uint64_t damaged_items; /* found at the start, did not unseal, and were removed */
    uint64_t damaged_bytes; /* of octets in them */
    uint64_t transactions;  /* since the start */
};

/* Opens or makes the file of the KME env->config->kme_id, mode 0600, and locks it against other
 * processes. With a key file (32 octets, see seal.h) octets are sealed under it (AES-256-GCM);
 * with NULL they are not. Refused (OUTCOME_CONFIG, with what to do): the key file is missing, too
 * open, or another one than the file was sealed with; the file is sealed and there is no key file,
 * or the reverse; it is of another KME or schema, damaged, or in use. Damaged items are removed,
 * counted and logged. `env` is borrowed until shelf_close; base and log in it are used. */
struct shelf *shelf_open(const struct env *env, const char *path, const char *key_file,
                         struct status *status);

/* Does and syncs all that is queued, scrubs what was deleted, closes and wipes. False, and
 * *status, when something that was queued did not reach the disk. NULL is allowed: true.
 * Blocks; calls no subscriber. */
bool shelf_close(struct shelf *shelf, struct status *status);

/* `events` and `arg` are borrowed until shelf_unsubscribe with the same arg, which may be called
 * from within an event. False when there are too many subscribers, or when out of memory. */
bool shelf_subscribe(struct shelf *shelf, const struct shelf_events *events, void *arg);
void shelf_unsubscribe(struct shelf *shelf, void *arg);

/* Queues an item; one with the same kind, peer and ID is replaced. The octets (0 to
 * SHELF_OCTETS_MAX) are copied, and the copy is wiped when it was written. `peer` is a KME ID of 1
 * to ETSI014_ID_MAX_CHARS octets, or "" for none. Returns the ticket (rising, from 1 on), or 0 and
 * nothing queued when the queue is full, the octets are too long, memory ran out, or the shelf has
 * failed. */
uint64_t shelf_put(struct shelf *shelf, enum shelf_kind kind, const char *peer,
                   const struct key_id *id, const void *octets, size_t length);

/* Queues the erasure of an item; not having it is no error. Else as shelf_put. */
uint64_t shelf_take(struct shelf *shelf, enum shelf_kind kind, const char *peer,
                    const struct key_id *id);

/* What is queued between the two is done in one transaction: all of it survives a crash, or none.
 * They nest; the outermost pair counts. Without them each operation stands for itself (and shares
 * a sync with its neighbours). End is the ticket of the last operation between, or 0 when one of
 * them was refused or there was none: nothing of the transaction is done then. */
void shelf_begin(struct shelf *shelf);
uint64_t shelf_end(struct shelf *shelf);

/* The highest ticket that has settled. */
uint64_t shelf_settled(const struct shelf *shelf);

/* Before the first put or take: all items of a kind, of one peer or (NULL) of all, in the order in
 * which they were put. The octets are wiped after each call. False, and *status, when the file
 * cannot be read, or, without a status, when `each` said false, which ends it. */
bool shelf_load(struct shelf *shelf, enum shelf_kind kind, const char *peer,
                bool (*each)(void *arg, const char *peer, const struct key_id *id,
                             const uint8_t *octets, size_t length),
                void *arg, struct status *status);

/* False, and *status with the reason, once the disk has refused. */
bool shelf_ok(struct shelf *shelf, struct status *status);

void shelf_counts(struct shelf *shelf, struct shelf_counts *counts);

#endif
