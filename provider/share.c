/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/share.h"

#include <string.h>

size_t share_bytes(size_t inner_bytes)
{
    return inner_bytes + KEY_ID_BYTES;
}

size_t share_secret_bytes(size_t inner_bytes)
{
    return inner_bytes + SHARE_QKD_KEY_BYTES;
}

void share_set_key_id(uint8_t *share, size_t inner_bytes, const struct key_id *key_id)
{
    memcpy(share + inner_bytes, key_id->octets, KEY_ID_BYTES);
}

bool share_split(const uint8_t *share, size_t length, size_t *inner_bytes, struct key_id *key_id)
{
    if (length <= KEY_ID_BYTES)
        return false;
    *inner_bytes = length - KEY_ID_BYTES;
    memcpy(key_id->octets, share + *inner_bytes, KEY_ID_BYTES);
    return true;
}

void share_set_qkd_key(uint8_t *secret, size_t inner_bytes, const struct secret *qkd_key)
{
    memcpy(secret + inner_bytes, qkd_key->bytes, SHARE_QKD_KEY_BYTES);
}
