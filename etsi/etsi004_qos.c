/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "etsi/etsi004_wire.h"

/* The integers of QoS in the order of the wire, by their place in the struct. */
static const size_t numbers[] = {
    offsetof(struct etsi004_qos, key_chunk_size_bytes),
    offsetof(struct etsi004_qos, max_bps),
    offsetof(struct etsi004_qos, min_bps),
    offsetof(struct etsi004_qos, jitter_bps),
    offsetof(struct etsi004_qos, priority),
    offsetof(struct etsi004_qos, timeout_ms),
    offsetof(struct etsi004_qos, ttl_s),
};

enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

void etsi004_text_put(struct buf *buf, const char *text, size_t size)
{
    size_t length = strnlen(text, size);

    if (length == size)
        buf->failed = true;
    else
        buf_put(buf, text, length + 1);
}

bool etsi004_text_take(struct reader *reader, char *text, size_t size)
{
    size_t window = reader->left < size ? reader->left : size;
    const uint8_t *start = reader->data, *nul;

    nul = reader->failed || window == 0 ? NULL : memchr(start, '\0', window);
    if (nul == NULL) {
        reader->failed = true;
        return false;
    }
    memcpy(text, start, (size_t)(nul - start) + 1);
    return reader_take(reader, (size_t)(nul - start) + 1) != NULL;
}

void etsi004_stream_id_put(struct buf *buf, const struct key_id *stream_id)
{
    buf_put(buf, stream_id->octets, sizeof(stream_id->octets));
}

bool etsi004_stream_id_take(struct reader *reader, struct key_id *stream_id)
{
    const uint8_t *octets = reader_take(reader, sizeof(stream_id->octets));

    if (octets != NULL)
        memcpy(stream_id->octets, octets, sizeof(stream_id->octets));
    return octets != NULL;
}

void etsi004_qos_numbers_put(struct buf *buf, const struct etsi004_qos *qos)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        uint32_t number;

        memcpy(&number, (const char *)qos + numbers[i], sizeof(number));
        buf_put_u32(buf, number);
    }
}

void etsi004_qos_numbers_take(struct reader *reader, struct etsi004_qos *qos)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        uint32_t number = reader_u32(reader);

        memcpy((char *)qos + numbers[i], &number, sizeof(number));
    }
}

void etsi004_terms_put(struct buf *buf, enum etsi004_profile profile, const struct etsi004_qos *qos,
                       const struct key_id *stream_id)
{
    static const char padding[ETSI004_MIMETYPE_BYTES];
    size_t start;

    etsi004_qos_numbers_put(buf, qos);
    start = buf->length;
    etsi004_text_put(buf, qos->metadata_mimetype, sizeof(qos->metadata_mimetype));
    if (profile == ETSI004_W1 && !buf->failed)
        buf_put(buf, padding, ETSI004_MIMETYPE_BYTES - (buf->length - start));
    etsi004_stream_id_put(buf, stream_id);
}

/* The octets of W1 behind the text; anything but NULs would be lost, so it is refused. */
static bool padding_take(struct reader *reader, size_t length)
{
    const uint8_t *padding = reader_take(reader, length);
    uint8_t all = 0;

    for (size_t i = 0; padding != NULL && i < length; i++)
        all |= padding[i];
    return padding != NULL && all == 0;
}

bool etsi004_terms_take(struct reader *reader, enum etsi004_profile *profile,
                        struct etsi004_qos *qos, struct key_id *stream_id)
{
    enum { W1_TAIL_BYTES = ETSI004_MIMETYPE_BYTES + KEY_ID_BYTES };
    size_t tail_bytes;

    etsi004_qos_numbers_take(reader, qos);
    tail_bytes = reader->left;
    if (!etsi004_text_take(reader, qos->metadata_mimetype, sizeof(qos->metadata_mimetype)))
        return false;
    if (tail_bytes == W1_TAIL_BYTES && reader->left > KEY_ID_BYTES) {
        *profile = ETSI004_W1;
        if (!padding_take(reader, reader->left - KEY_ID_BYTES))
            return false;
    } else if (tail_bytes != W1_TAIL_BYTES) {
        *profile = ETSI004_W2;
    }
    return etsi004_stream_id_take(reader, stream_id) && reader_done(reader);
}
