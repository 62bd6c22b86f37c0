/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "etsi/etsi004_wire.h"

void etsi004_open_put(struct buf *buf, enum etsi004_profile profile,
                      const struct etsi004_open *open)
{
    size_t begin = etsi004_frame_begin(buf, etsi004_version_of(profile), ETSI004_OPEN_CONNECT);

    etsi004_text_put(buf, open->source, sizeof(open->source));
    etsi004_text_put(buf, open->destination, sizeof(open->destination));
    etsi004_terms_put(buf, profile, &open->qos, &open->stream_id);
    etsi004_frame_end(buf, begin);
}

/* In W2 the caller's empty buffer travels with its size. */
static void put_metadata_buffer(struct buf *buf, size_t size)
{
    uint8_t *to;

    if (size == 0)
        return;
    to = size <= ETSI004_METADATA_MAX_BYTES ? buf_reserve(buf, size) : NULL;
    if (to == NULL) {
        buf->failed = true;
        return;
    }
    memset(to, 0, size);
    buf->length += size;
}

void etsi004_get_key_put(struct buf *buf, enum etsi004_profile profile,
                         const struct etsi004_get_key *get_key)
{
    size_t begin = etsi004_frame_begin(buf, etsi004_version_of(profile), ETSI004_GET_KEY);

    etsi004_stream_id_put(buf, &get_key->stream_id);
    buf_put_u32(buf, get_key->index);
    buf_put_u32(buf, get_key->metadata_bytes);
    if (profile == ETSI004_W2)
        put_metadata_buffer(buf, get_key->metadata_bytes);
    etsi004_frame_end(buf, begin);
}

void etsi004_close_put(struct buf *buf, enum etsi004_profile profile,
                       const struct key_id *stream_id)
{
    size_t begin = etsi004_frame_begin(buf, etsi004_version_of(profile), ETSI004_CLOSE);

    etsi004_stream_id_put(buf, stream_id);
    etsi004_frame_end(buf, begin);
}

bool etsi004_open_parse(const struct etsi004_frame *frame, enum etsi004_profile *profile,
                        struct etsi004_open *open)
{
    enum etsi004_profile told = *profile;
    struct reader reader;

    reader_init(&reader, frame->payload, frame->payload_bytes);
    if (!etsi004_text_take(&reader, open->source, sizeof(open->source)) ||
        !etsi004_text_take(&reader, open->destination, sizeof(open->destination)) ||
        !etsi004_terms_take(&reader, &told, &open->qos, &open->stream_id))
        return false;
    *profile = told;
    return true;
}

bool etsi004_get_key_parse(const struct etsi004_frame *frame, enum etsi004_profile *profile,
                           struct etsi004_get_key *get_key)
{
    struct reader reader;

    reader_init(&reader, frame->payload, frame->payload_bytes);
    etsi004_stream_id_take(&reader, &get_key->stream_id);
    get_key->index = reader_u32(&reader);
    get_key->metadata_bytes = reader_u32(&reader);
    if (reader.failed || (reader.left > 0 && reader.left != get_key->metadata_bytes))
        return false;
    if (reader.left > 0)
        *profile = ETSI004_W2;
    else if (get_key->metadata_bytes > 0)
        *profile = ETSI004_W1;
    return true;
}

bool etsi004_close_parse(const struct etsi004_frame *frame, struct key_id *stream_id)
{
    struct reader reader;

    reader_init(&reader, frame->payload, frame->payload_bytes);
    return etsi004_stream_id_take(&reader, stream_id) && reader_done(&reader);
}
