/* SPDX-License-Identifier: Apache-2.0 */
/* Memory functions for libraries through whose hands keys pass: what is given back is wiped. */
#ifndef QKD_KME_WIPING_ALLOC_H
#define QKD_KME_WIPING_ALLOC_H

#include <stddef.h>

void *wiping_malloc(size_t size);
void *wiping_realloc(void *old, size_t size);
void wiping_free(void *memory);

/* Octets that may be used at this address. */
size_t wiping_size(void *memory);

#endif
