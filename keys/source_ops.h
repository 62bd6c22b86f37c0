/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of source provides to keys/source.c. Private to this folder. */
#ifndef QKD_KEYS_SOURCE_OPS_H
#define QKD_KEYS_SOURCE_OPS_H

#include "keys/source.h"

struct source_ops {
    enum key_ref_kind ref_kind;

    /* The state of a source; NULL when out of memory. */
    void *(*open)(const struct settings *settings, const struct log *log);
    void (*close)(void *state);

    /* Has a connection ready; asks for nothing over it. */
    bool (*prepare)(void *state, const struct deadline *deadline, struct status *status);

    /* Names a key to be shared with the peer. Where the standard hands the key out at once it is
     * put into *key; where it is read later *key stays NULL and collect() reads it. */
    bool (*reserve)(void *state, const struct deadline *deadline, struct key_ref *ref,
                    struct secret **key, struct status *status);

    /* Our reservation will not be used; NULL where nobody needs to know. Must not wait. */
    void (*abandon)(void *state, const struct key_ref *ref);

    /* Reads the key of our own reservation; NULL for a source that never leaves it out. */
    bool (*collect)(void *state, const struct key_ref *ref, const struct deadline *deadline,
                    struct secret **key, struct status *status);

    bool (*claim)(void *state, const struct key_ref *ref, const struct deadline *deadline,
                  struct secret **key, struct status *status);
};

extern const struct source_ops source014_ops;
extern const struct source_ops source004_ops;

#endif
