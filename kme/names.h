/* SPDX-License-Identifier: Apache-2.0 */
/* A short list of SAE IDs without repetitions, packed: one behind the other, each with its NUL. */
#ifndef QKD_KME_NAMES_H
#define QKD_KME_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "etsi/etsi014.h"

enum {
    NAMES_MAX = ETSI014_ADDITIONAL_SLAVES_MAX + 1, /* the slaves of one key */
    NAMES_MAX_BYTES = NAMES_MAX * (ETSI014_ID_MAX_CHARS + 1)
};

/* All zeros is an empty list. */
struct names {
    size_t count;
    size_t bytes; /* of the text, each NUL included */
    char text[NAMES_MAX_BYTES];
};

/* False when the name is empty, too long or there already, or when the list is full. */
bool names_add(struct names *names, const char *name);

/* The index of a name in packed text, from 0 on; -1 when it is not there. */
int names_find(const char *text, size_t bytes, const char *name);

#endif
