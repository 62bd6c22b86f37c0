/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key_stream_IDs on record: what the shelf knows of streams. A stream does not outlive the process,
 * but its ID does, as burnt: else a second stream under it could give a position other octets. So
 * no octets of a stream leave before its ID is on the disk of the end that opened it, which cuts
 * them. IDs that are made here are put there in advance, so that an opening does not wait. IDs
 * that a peer made follow together, within a second (docs/decisions/0011). Private to *004.c and
 * peers.c.
 *
 * All zeros is a record without a shelf: it keeps nothing, and everything is settled.
 */
#ifndef QKD_KME_RECORD004_H
#define QKD_KME_RECORD004_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "kme/burnt004.h"
#include "kme/env.h"

enum { RECORD004_STOCK = 256, RECORD004_STOCK_LOW = 128, RECORD004_LATER_MAX = 256 };

struct recorded_id {
    struct key_id id;
    uint64_t ticket;
};

struct record004 {
    const struct env *env;
    struct recorded_id stock[RECORD004_STOCK]; /* made here and not used, oldest first */
    size_t stock_count;
    struct key_id later[RECORD004_LATER_MAX]; /* that peers made, not put on the shelf yet */
    size_t later_count;
};

/* Burns all IDs that are on the shelf of env, if it has one. Nothing is put there yet. */
bool record004_load(struct record004 *record, const struct env *env, struct burnt004 *burnt,
                    struct status *status);

/* From now on: what `burnt` forgets is erased, and IDs are made in advance. */
void record004_start(struct record004 *record, struct burnt004 *burnt);

/* Puts on the shelf what waits for it, and erases what was made and not used. */
void record004_end(struct record004 *record);

/* A new ID (UUID version 4), and when it is on record. False when out of random numbers, or when
 * the shelf refuses. */
bool record004_make(struct record004 *record, const struct env *env, struct recorded_id *made);

/* Puts an ID of others on record. False when the shelf refuses. */
bool record004_put(struct record004 *record, const struct key_id *id, uint64_t *ticket);

/* Will put an ID that a peer made on record, with others of its kind: at the next
 * record004_put_waiting, or when RECORD004_LATER_MAX wait. False when the shelf refuses. */
bool record004_put_later(struct record004 *record, const struct key_id *id);

/* Puts on the shelf, in one transaction, what waits for it; once a second. What the shelf refuses
 * goes on waiting. */
void record004_put_waiting(struct record004 *record);

/* Whether what has this ticket is on the disk. */
bool record004_is_settled(const struct record004 *record, uint64_t ticket);

#endif
