/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key: fixed in size when it is made, wiped when it is freed. There is one owner at a
 * time and no copy function; whoever needs the octets elsewhere copies them by name.
 */
#ifndef QKD_BASE_SECRET_H
#define QKD_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECRET_MAX_BYTES = 65536 / 8 };

struct secret {
    size_t size_bytes;
    uint8_t bytes[];
};

/* A zeroed secret of 1 to SECRET_MAX_BYTES octets; NULL when out of memory or out of range.
 * The memory is OpenSSL's secure heap where the process has set one up. */
struct secret *secret_new(size_t size_bytes);

/* Wipes and frees; NULL is allowed. */
void secret_free(struct secret *secret);

/* Whether both hold the same octets; takes the same time whatever they hold. */
bool secret_equal(const struct secret *a, const struct secret *b);

#endif
