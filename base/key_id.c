/* SPDX-License-Identifier: Apache-2.0 */
#include "base/key_id.h"

#include <string.h>

#include <openssl/crypto.h>

static bool is_hyphen_place(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

bool key_id_parse(const char *text, size_t length, struct key_id *id)
{
    struct key_id parsed;
    size_t octet = 0;

    if (length != KEY_ID_TEXT_CHARS)
        return false;
    for (size_t i = 0; i < KEY_ID_TEXT_CHARS;) {
        int high, low;

        if (is_hyphen_place(i)) {
            if (text[i++] != '-')
                return false;
            continue;
        }
        high = OPENSSL_hexchar2int((unsigned char)text[i]);
        low = OPENSSL_hexchar2int((unsigned char)text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        parsed.octets[octet++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    *id = parsed;
    return true;
}

void key_id_format(const struct key_id *id, char text[static KEY_ID_TEXT_CHARS + 1])
{
    static const char digits[] = "0123456789abcdef";
    size_t octet = 0;

    for (size_t i = 0; i < KEY_ID_TEXT_CHARS;) {
        if (is_hyphen_place(i)) {
            text[i++] = '-';
            continue;
        }
        text[i++] = digits[id->octets[octet] >> 4];
        text[i++] = digits[id->octets[octet++] & 0x0f];
    }
    text[KEY_ID_TEXT_CHARS] = '\0';
}

bool key_id_equal(const struct key_id *a, const struct key_id *b)
{
    return memcmp(a->octets, b->octets, KEY_ID_BYTES) == 0;
}

bool key_id_is_zero(const struct key_id *id)
{
    static const struct key_id zero;

    return key_id_equal(id, &zero);
}
