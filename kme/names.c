/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/names.h"

#include <string.h>

bool names_add(struct names *names, const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > ETSI014_ID_MAX_CHARS || names->count >= NAMES_MAX ||
        names_find(names->text, names->bytes, name) >= 0)
        return false;
    memcpy(names->text + names->bytes, name, length + 1);
    names->bytes += length + 1;
    names->count++;
    return true;
}

int names_find(const char *text, size_t bytes, const char *name)
{
    int index = 0;

    for (size_t at = 0; at < bytes; at += strlen(text + at) + 1, index++)
        if (strcmp(text + at, name) == 0)
            return index;
    return -1;
}
