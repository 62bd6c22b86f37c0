/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/json_out.h"

#include <stddef.h>

void json_out_init(struct json_out *out, struct buf *buf)
{
    out->buf = buf;
    out->follows = false;
}

/* Octets of the UTF-8 character at the front (RFC 3629); 0 when there is none. */
static size_t utf8_length(const uint8_t *text)
{
    static const struct {
        uint8_t first_low, first_high, second_low, second_high;
        size_t length;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text[0] < forms[i].first_low || text[0] > forms[i].first_high)
            continue;
        if (text[1] < forms[i].second_low || text[1] > forms[i].second_high)
            return 0;
        for (size_t j = 2; j < forms[i].length; j++)
            if (text[j] < 0x80 || text[j] > 0xbf)
                return 0;
        return forms[i].length;
    }
    return 0;
}

/* Whether the octet stands for itself between quotes, in a script as well. */
static bool is_plain(uint8_t octet)
{
    return octet >= 0x20 && octet < 0x7f && octet != '"' && octet != '\\' && octet != '<' &&
           octet != '>' && octet != '&';
}

static void put_quoted(struct buf *buf, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;

    buf_put_u8(buf, '"');
    while (*at != '\0') {
        const uint8_t *start = at;
        size_t length;

        while (is_plain(*at))
            at++;
        buf_put(buf, start, (size_t)(at - start));
        if (*at == '\0')
            break;
        length = *at < 0x80 ? 1 : utf8_length(at);
        if (length > 1)
            buf_put(buf, at, length);
        else
            buf_put_format(buf, "\\u%04x", length == 1 ? *at : 0xfffdu);
        at += length > 0 ? length : 1;
    }
    buf_put_u8(buf, '"');
}

static void begin(struct json_out *out, const char *name)
{
    if (out->follows)
        buf_put_u8(out->buf, ',');
    out->follows = true;
    if (name != NULL) {
        put_quoted(out->buf, name);
        buf_put_u8(out->buf, ':');
    }
}

static void open_with(struct json_out *out, const char *name, uint8_t bracket)
{
    begin(out, name);
    buf_put_u8(out->buf, bracket);
    out->follows = false;
}

static void close_with(struct json_out *out, uint8_t bracket)
{
    buf_put_u8(out->buf, bracket);
    out->follows = true;
}

void json_out_object(struct json_out *out, const char *name)
{
    open_with(out, name, '{');
}

void json_out_object_end(struct json_out *out)
{
    close_with(out, '}');
}

void json_out_array(struct json_out *out, const char *name)
{
    open_with(out, name, '[');
}

void json_out_array_end(struct json_out *out)
{
    close_with(out, ']');
}

void json_out_text(struct json_out *out, const char *name, const char *text)
{
    begin(out, name);
    if (text != NULL)
        put_quoted(out->buf, text);
    else
        buf_put_text(out->buf, "null");
}

void json_out_number(struct json_out *out, const char *name, int64_t value)
{
    char digits[sizeof("-9223372036854775808")], *at = digits + sizeof(digits);
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    begin(out, name);
    do
        *--at = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        *--at = '-';
    buf_put(out->buf, at, (size_t)(digits + sizeof(digits) - at));
}

void json_out_raw(struct json_out *out, const char *name, const char *json)
{
    begin(out, name);
    buf_put_text(out->buf, json);
}

void json_out_bool(struct json_out *out, const char *name, bool value)
{
    begin(out, name);
    buf_put_text(out->buf, value ? "true" : "false");
}
