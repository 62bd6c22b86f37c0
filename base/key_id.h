/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key ID: the 16 octets of a UUID in RFC 4122 order. ETSI GS QKD 014 key_ID (clause 6.3)
 * and ETSI GS QKD 004 Key_stream_ID (clause 6.1) are both of this form. Not secret.
 */
#ifndef QKD_BASE_KEY_ID_H
#define QKD_BASE_KEY_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_ID_BYTES = 16, KEY_ID_TEXT_CHARS = 36 };

struct key_id {
    uint8_t octets[KEY_ID_BYTES];
};

/* Reads exactly 36 characters of the form 8-4-4-4-12, hexadecimal digits of either case;
 * no braces, no urn:. False and *id untouched for anything else. */
bool key_id_parse(const char *text, size_t length, struct key_id *id);

/* Writes the lower-case text form and a NUL. */
void key_id_format(const struct key_id *id, char text[static KEY_ID_TEXT_CHARS + 1]);

bool key_id_equal(const struct key_id *a, const struct key_id *b);
bool key_id_is_zero(const struct key_id *id);

#endif
