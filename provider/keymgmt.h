/* SPDX-License-Identifier: Apache-2.0 */
/* Key management as OpenSSL calls it: one dispatch table a group. */
#ifndef QKD_PROVIDER_KEYMGMT_H
#define QKD_PROVIDER_KEYMGMT_H

#include <openssl/core.h>

#include "provider/groups.h"

/* All groups, ended by an empty row, as provider_query_operation answers. */
extern const OSSL_ALGORITHM keymgmt_algorithms[GROUP_COUNT + 1];

#endif
