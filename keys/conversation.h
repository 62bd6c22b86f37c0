/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A conversation with one key server that goes on from use to use and need not wait: is it there,
 * and then reservations ahead of their use. No thread is behind it: whoever comes by advances it.
 * Owned by one thread at a time, and by the process that began it. One kind for each standard.
 */
#ifndef QKD_KEYS_CONVERSATION_H
#define QKD_KEYS_CONVERSATION_H

#include "base/deadline.h"
#include "base/secret.h"
#include "keys/key_ref.h"

enum conversation_state {
    CONVERSATION_OPEN, /* more may come: advance it again */
    CONVERSATION_DONE, /* everything has come */
    CONVERSATION_FAILED
};

/* Who gets the reservations; the key, NULL where it is read later, is then the taker's. */
struct taker {
    void (*take)(void *argument, const struct key_ref *ref, struct secret *key);
    void *argument;
};

#endif
