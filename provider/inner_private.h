/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by inner.c and inner_ecdh.c, nobody else. */
#ifndef QKD_PROVIDER_INNER_PRIVATE_H
#define QKD_PROVIDER_INNER_PRIVATE_H

#include "provider/inner.h"

/* "WHAT of ALGORITHM failed: newest reason of the error queue"; returns false. */
bool inner_fail(struct status *status, enum outcome outcome, const struct group *group,
                const char *what);

/* An operation context pinned to the provider that holds the key; NULL on failure. */
EVP_PKEY_CTX *inner_operation(const struct inner_library *library, EVP_PKEY *key);

#endif
