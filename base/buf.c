/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

enum { FIRST_CAPACITY_BYTES = 512 };

void buf_init(struct buf *buf, size_t max_bytes)
{
    memset(buf, 0, sizeof(*buf));
    buf->max_bytes = max_bytes;
}

void buf_free(struct buf *buf)
{
    OPENSSL_clear_free(buf->data, buf->capacity);
    buf_init(buf, buf->max_bytes);
}

void buf_reset(struct buf *buf)
{
    if (buf->dirty_bytes > 0)
        OPENSSL_cleanse(buf->data, buf->dirty_bytes);
    buf->dirty_bytes = 0;
    buf->length = 0;
    buf->failed = false;
}

uint8_t *buf_reserve(struct buf *buf, size_t more)
{
    size_t wanted, capacity;
    uint8_t *data;

    if (buf->failed || more > buf->max_bytes - buf->length) {
        buf->failed = true;
        return NULL;
    }
    wanted = buf->length + more;
    if (wanted > buf->capacity) {
        capacity = buf->capacity == 0 ? FIRST_CAPACITY_BYTES : buf->capacity * 2;
        if (capacity < wanted)
            capacity = wanted;
        if (capacity > buf->max_bytes)
            capacity = buf->max_bytes;
        data = OPENSSL_clear_realloc(buf->data, buf->capacity, capacity);
        if (data == NULL) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->capacity = capacity;
    }
    if (wanted > buf->dirty_bytes)
        buf->dirty_bytes = wanted;
    return buf->data + buf->length;
}

void buf_consume(struct buf *buf, size_t count)
{
    size_t rest = buf->length - count;

    if (count == 0)
        return;
    memmove(buf->data, buf->data + count, rest);
    OPENSSL_cleanse(buf->data + rest, count);
    buf->length = rest;
}

void buf_put(struct buf *buf, const void *data, size_t length)
{
    uint8_t *to = length == 0 ? NULL : buf_reserve(buf, length);

    if (to == NULL)
        return;
    memcpy(to, data, length);
    buf->length += length;
}

void buf_put_text(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_put_format(struct buf *buf, const char *format, ...)
{
    char text[1024];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof(text))
        buf->failed = true;
    else
        buf_put(buf, text, (size_t)length);
    OPENSSL_cleanse(text, sizeof(text));
}

static void put_big_endian(struct buf *buf, uint64_t value, size_t width)
{
    uint8_t octets[8];

    for (size_t i = 0; i < width; i++)
        octets[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    buf_put(buf, octets, width);
}

void buf_put_u8(struct buf *buf, uint8_t value)
{
    put_big_endian(buf, value, 1);
}

void buf_put_u32(struct buf *buf, uint32_t value)
{
    put_big_endian(buf, value, 4);
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
    put_big_endian(buf, value, 8);
}

void reader_init(struct reader *reader, const void *data, size_t length)
{
    reader->data = data;
    reader->left = length;
    reader->failed = false;
}

const uint8_t *reader_take(struct reader *reader, size_t length)
{
    const uint8_t *taken = reader->data;

    if (reader->failed || length > reader->left) {
        reader->failed = true;
        return NULL;
    }
    if (length > 0)
        reader->data += length;
    reader->left -= length;
    return taken;
}

static uint64_t take_big_endian(struct reader *reader, size_t width)
{
    const uint8_t *octets = reader_take(reader, width);
    uint64_t value = 0;

    for (size_t i = 0; octets != NULL && i < width; i++)
        value = value << 8 | octets[i];
    return value;
}

uint8_t reader_u8(struct reader *reader)
{
    return (uint8_t)take_big_endian(reader, 1);
}

uint32_t reader_u32(struct reader *reader)
{
    return (uint32_t)take_big_endian(reader, 4);
}

uint64_t reader_u64(struct reader *reader)
{
    return take_big_endian(reader, 8);
}

bool reader_done(const struct reader *reader)
{
    return !reader->failed && reader->left == 0;
}
