/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the keys out of JSON text before a JSON library reads it. The library copies each
 * string into memory that it frees without wiping; what it never sees it cannot leave behind.
 * Private to this folder.
 */
#ifndef QKD_ETSI_KEY_LIFT_H
#define QKD_ETSI_KEY_LIFT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/secret.h"
#include "base/status.h"

struct lifted_keys {
    size_t count;
    size_t max;           /* places in keys */
    struct secret **keys; /* in the order of the text; owned by the caller */
};

/* Replaces the string value of each member named "key" with its ordinal number among them, in
 * decimal, padded with spaces inside the quotes; the text keeps its length. A value that is not
 * canonical base64 (\/ is read as /) leaves a number without a key. False, and *status
 * (OUTCOME_KME), for more than max, or for a member name with a \u escape; what was lifted until
 * then stays in *lifted. */
bool key_lift(char *json, size_t length, struct lifted_keys *lifted, struct status *status);

/* The key that now stands in the text as `marker`; the caller owns it then. NULL if there is
 * none, or it was taken before. */
struct secret *key_lift_take(struct lifted_keys *lifted, const char *marker);

#endif
