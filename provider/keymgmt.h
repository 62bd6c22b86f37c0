/* SPDX-License-Identifier: Apache-2.0 */
/* Key management as OpenSSL calls it: one dispatch table a group. */
#ifndef QKD_PROVIDER_KEYMGMT_H
#define QKD_PROVIDER_KEYMGMT_H

#include <openssl/core.h>

#include "provider/groups.h"

/* What an application may ask a key of ours after the handshake, as text; unset before, and where
 * it was used with more than one QKD key (provider/used_key.h, docs/application.md). */
#define KEYMGMT_PARAM_KEY_ID "qkd-key-id" /* UUID, lower case */
#define KEYMGMT_PARAM_ROLE "qkd-role"     /* "initiator" or "responder" */

/* All groups, ended by an empty row, as provider_query_operation answers. */
extern const OSSL_ALGORITHM keymgmt_algorithms[GROUP_COUNT + 1];

#endif
