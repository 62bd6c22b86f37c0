/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encapsulate and decapsulate as OpenSSL calls them: the inner half, then the QKD half. Only the
 * real call asks a key server; a size query never does.
 */
#ifndef QKD_PROVIDER_KEM_H
#define QKD_PROVIDER_KEM_H

#include <openssl/core.h>

#include "provider/groups.h"

/* All groups, ended by an empty row, as provider_query_operation answers. */
extern const OSSL_ALGORITHM kem_algorithms[GROUP_COUNT + 1];

#endif
