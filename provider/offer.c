/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/offer.h"

#include <stdatomic.h>

#include <openssl/crypto.h>

struct offer {
    atomic_int holders;
    atomic_bool spent;
    struct reservation *reservation;
    int left_ms;
};

struct offer *offer_new(struct reservation *reservation, int left_ms)
{
    struct offer *offer = OPENSSL_zalloc(sizeof(*offer));

    if (offer == NULL)
        return NULL;
    atomic_init(&offer->holders, 1);
    atomic_init(&offer->spent, false);
    offer->reservation = reservation;
    offer->left_ms = left_ms;
    return offer;
}

struct offer *offer_share(struct offer *offer)
{
    if (offer != NULL)
        atomic_fetch_add(&offer->holders, 1);
    return offer;
}

void offer_free(struct offer *offer)
{
    if (offer == NULL || atomic_fetch_sub(&offer->holders, 1) > 1)
        return;
    reservation_free(offer->reservation);
    OPENSSL_free(offer);
}

bool offer_spend(struct offer *offer)
{
    return !atomic_exchange(&offer->spent, true);
}

struct reservation *offer_reservation(struct offer *offer)
{
    return offer->reservation;
}

int offer_left_ms(const struct offer *offer)
{
    return offer->left_ms;
}
