/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/used_key.h"

const char *role_name(enum role role)
{
    static const char *const names[] = {
        [ROLE_INITIATOR] = "initiator",
        [ROLE_RESPONDER] = "responder",
    };

    return names[role];
}

void used_key_init(struct used_key *used)
{
    atomic_init(&used->state, USED_NONE);
}

void used_key_note(struct used_key *used, enum role role, const struct key_id *id)
{
    enum used_state expected = USED_NONE;

    if (!atomic_compare_exchange_strong(&used->state, &expected, USED_WRITING)) {
        atomic_store(&used->state, USED_MANY);
        return;
    }
    used->role = role;
    used->id = *id;
    expected = USED_WRITING;
    /* Fails when another thread has used a second key meanwhile. */
    atomic_compare_exchange_strong(&used->state, &expected, USED_ONE);
}

bool used_key_ask(const struct used_key *used, enum role *role, struct key_id *id)
{
    if (atomic_load(&used->state) != USED_ONE)
        return false;
    *role = used->role;
    *id = used->id;
    return true;
}

void used_key_copy(struct used_key *copy, const struct used_key *used)
{
    struct key_id id;
    enum role role;

    if (used_key_ask(used, &role, &id))
        used_key_note(copy, role, &id);
    else if (atomic_load(&used->state) != USED_NONE)
        atomic_store(&copy->state, USED_MANY);
}
