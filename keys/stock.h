/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservations that an initiator keeps at hand (settings `pool` and `pool-max-age-s`), and when
 * more are asked for: from the second use of a process on, whenever half of them are gone, without
 * waiting for the answer, which is read at a later use. Never more than are likely to be used
 * before they are too old.
 *
 * Thread-safe; no thread waits for another. A forked child has none of its parent's.
 */
#ifndef QKD_KEYS_STOCK_H
#define QKD_KEYS_STOCK_H

#include "keys/key_pool.h"
#include "keys/site.h"

struct stock;

/* Borrows all four. NULL when out of memory. */
struct stock *stock_new(const struct settings *settings, const struct source_ops *ops,
                        struct site *site, const struct log *log);

/* Wipes what is left, and logs how many keys were reserved ahead and not used. Sends nothing: open
 * streams end with their TTL. */
void stock_free(struct stock *stock);

/* Goes on with what is under way; whether a reservation is at hand then that needs no key server
 * which is left out. Asks for nothing. */
bool stock_look(struct stock *stock);

/* The oldest reservation at hand; its key, if it has one yet, is the caller's. Where none is at
 * hand, but some are on their way, it waits for those for at most half of the time. */
bool stock_take(struct stock *stock, const struct deadline *deadline, struct ahead_key *item);

/* After a use: asks for more if it is time to. */
void stock_refill(struct stock *stock);

#endif
