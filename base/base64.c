/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

size_t base64_chars(size_t size_bytes)
{
    return (size_bytes + 2) / 3 * 4;
}

void base64_put(struct buf *buf, const uint8_t *octets, size_t size_bytes)
{
    size_t chars = base64_chars(size_bytes);
    uint8_t *to = buf_reserve(buf, chars + 1); /* EVP_EncodeBlock ends with a NUL */

    if (to == NULL)
        return;
    EVP_EncodeBlock(to, octets, (int)size_bytes);
    buf->length += chars;
}

static size_t decoded_bytes(const char *text, size_t length)
{
    size_t padding = 0;

    while (padding < 2 && text[length - 1 - padding] == '=')
        padding++;
    return length / 4 * 3 - padding;
}

/* EVP_DecodeBlock takes more than one text for a value; only the encoder's own is canonical. */
static bool is_canonical(const char *text, size_t length, const struct secret *decoded)
{
    struct buf again;
    bool same;

    buf_init(&again, length + 1);
    base64_put(&again, decoded->bytes, decoded->size_bytes);
    same = !again.failed && again.length == length && CRYPTO_memcmp(again.data, text, length) == 0;
    buf_free(&again);
    return same;
}

struct secret *base64_decode(const char *text, size_t length)
{
    struct secret *secret = NULL, *block = NULL;

    if (length < 4 || length % 4 != 0 || length > base64_chars(SECRET_MAX_BYTES))
        return NULL;
    /* The decoder writes whole groups of three octets, padding included. */
    block = OPENSSL_secure_zalloc(sizeof(*block) + length / 4 * 3);
    if (block == NULL)
        return NULL;
    if (EVP_DecodeBlock(block->bytes, (const unsigned char *)text, (int)length) >= 0)
        secret = secret_new(decoded_bytes(text, length));
    if (secret != NULL) {
        memcpy(secret->bytes, block->bytes, secret->size_bytes);
        if (!is_canonical(text, length, secret)) {
            secret_free(secret);
            secret = NULL;
        }
    }
    OPENSSL_secure_clear_free(block, sizeof(*block) + length / 4 * 3);
    return secret;
}
