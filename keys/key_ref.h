/* SPDX-License-Identifier: Apache-2.0 */
/* How a key is named to the peer. Not secret. */
#ifndef QKD_KEYS_KEY_REF_H
#define QKD_KEYS_KEY_REF_H

#include <stdint.h>

#include "base/key_id.h"

enum { SOURCE_KEY_BITS = 256, SOURCE_KEY_BYTES = SOURCE_KEY_BITS / 8 };

enum key_ref_kind { KEY_REF_ETSI014, KEY_REF_ETSI004 };

struct key_ref {
    enum key_ref_kind kind;
    struct key_id id;
    uint32_t index;
};

#endif
