/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client's key share stands for on the QKD side: a reservation of our own, or nothing
 * yet where the server shall reserve. Shared by all copies of a key object and spent once, so
 * that a copy can neither use a key twice nor cost another one.
 */
#ifndef QKD_PROVIDER_OFFER_H
#define QKD_PROVIDER_OFFER_H

#include "base/deadline.h"
#include "keys/source.h"

struct offer;

/* Takes the reservation over (NULL: the server is to be the initiator). `left_ms` is what
 * remains of the handshake's time budget. NULL when out of memory; the reservation then stays
 * the caller's. */
struct offer *offer_new(struct reservation *reservation, int left_ms);

struct offer *offer_share(struct offer *offer);

/* Drops one holder; the last one gives up what was not spent. NULL is allowed. */
void offer_free(struct offer *offer);

/* Spends it: true for exactly one caller. */
bool offer_spend(struct offer *offer);

/* Only after offer_spend: the reservation (NULL: none), and what is left of the budget. */
struct reservation *offer_reservation(struct offer *offer);
int offer_left_ms(const struct offer *offer);

#endif
