/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/wiping_alloc.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

void *wiping_malloc(size_t size)
{
    return malloc(size);
}

size_t wiping_size(void *memory)
{
    return malloc_usable_size(memory);
}

void wiping_free(void *memory)
{
    if (memory != NULL)
        OPENSSL_cleanse(memory, malloc_usable_size(memory));
    free(memory);
}

/* realloc may leave the old octets behind, so it is never used. */
void *wiping_realloc(void *old, size_t size)
{
    size_t old_size = old == NULL ? 0 : malloc_usable_size(old);
    void *grown;

    if (size == 0) {
        wiping_free(old);
        return NULL;
    }
    grown = malloc(size);
    if (grown == NULL)
        return NULL;
    if (old_size > 0)
        memcpy(grown, old, old_size < size ? old_size : size);
    wiping_free(old);
    return grown;
}
