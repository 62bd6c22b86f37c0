/* SPDX-License-Identifier: Apache-2.0 */
/* What a standard provides to keys/site.c and keys/source.c: how one key server is asked. Private
 * to this folder. */
#ifndef QKD_KEYS_SOURCE_OPS_H
#define QKD_KEYS_SOURCE_OPS_H

#include "keys/conversation.h"
#include "keys/source.h"

struct source_ops {
    enum key_ref_kind ref_kind;

    /* Whether a key that is not there is worth asking for again: key servers of 014 say so at
     * once, those of 004 wait themselves. */
    bool asks_again;

    /* The state for the key server in this place of the settings; NULL when out of memory. */
    void *(*open)(const struct settings *settings, size_t place, const struct log *log);
    void (*close)(void *state);

    /* Has a connection ready; asks for nothing over it. */
    bool (*prepare)(void *state, const struct deadline *deadline, struct status *status);

    /* Names a key to be shared with the peer. Where the standard hands the key out at once it is
     * put into *key; where it is read later *key stays NULL and collect() reads it. */
    bool (*reserve)(void *state, const struct deadline *deadline, struct key_ref *ref,
                    struct secret **key, struct status *status);

    /* Our reservation will not be used; NULL where nobody needs to know. Must not wait. */
    void (*abandon)(void *state, const struct key_ref *ref);

    /* Reads the key of our own reservation; NULL for a standard that never leaves it out. */
    bool (*collect)(void *state, const struct key_ref *ref, const struct deadline *deadline,
                    struct secret **key, struct status *status);

    bool (*claim)(void *state, const struct key_ref *ref, const struct deadline *deadline,
                  struct secret **key, struct status *status);

    /* A conversation (keys/conversation.h) for `number` reservations, or for 0 to learn whether
     * the key server is there. */
    void *(*begin)(void *state, size_t number, struct status *status);
    enum conversation_state (*advance)(void *state, void *conversation,
                                       const struct deadline *deadline, const struct taker *taker,
                                       struct status *status);
    /* Grows whenever the key server was heard of. */
    uint64_t (*progress)(const void *conversation);
    void (*end)(void *conversation);
    void (*abandon_conversation)(void *conversation);
};

extern const struct source_ops source014_ops;
extern const struct source_ops source004_ops;

#endif
