/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which QKD key a key object brought into a secret, for whoever asks later (docs/application.md).
 * An ID is told only while it is the only one: a key object that was used with a second QKD key
 * names none. Any number of threads may note and ask.
 */
#ifndef QKD_PROVIDER_USED_KEY_H
#define QKD_PROVIDER_USED_KEY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/key_id.h"

enum role { ROLE_INITIATOR, ROLE_RESPONDER };

enum used_state {
    USED_NONE,    /* nothing was used yet */
    USED_WRITING, /* somebody is writing role and id */
    USED_ONE,     /* role and id are there to be read */
    USED_MANY     /* there is no single ID any more */
};

struct used_key {
    _Atomic(enum used_state) state;
    enum role role; /* this and id: written once, before USED_ONE */
    struct key_id id;
};

/* "initiator" or "responder", as ETSI GS QKD 014 and our log say. */
const char *role_name(enum role role);

void used_key_init(struct used_key *used);

/* After the key was delivered, never before. */
void used_key_note(struct used_key *used, enum role role, const struct key_id *id);

/* False, and *role and *id untouched, unless exactly one key was used. */
bool used_key_ask(const struct used_key *used, enum role *role, struct key_id *id);

/* Makes an initialised *copy know what *used knows. */
void used_key_copy(struct used_key *copy, const struct used_key *used);

#endif
