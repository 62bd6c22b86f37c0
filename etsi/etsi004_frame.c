/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "etsi/etsi004_wire.h"

static const struct etsi004_version versions[] = {
    [ETSI004_W1] = {{1, 0, 1}},
    [ETSI004_W2] = {{2, 1, 1}},
};

enum { LENGTH_OFFSET = 4 };

struct etsi004_version etsi004_version_of(enum etsi004_profile profile)
{
    return versions[profile];
}

enum etsi004_profile etsi004_profile_of(struct etsi004_version version)
{
    return memcmp(&version, &versions[ETSI004_W2], sizeof(version)) == 0 ? ETSI004_W2 : ETSI004_W1;
}

enum etsi004_framing etsi004_frame_take(const struct buf *input, struct etsi004_frame *frame)
{
    struct reader reader;

    if (input->length < ETSI004_HEADER_BYTES)
        return ETSI004_INCOMPLETE;
    reader_init(&reader, input->data, input->length);
    for (size_t i = 0; i < sizeof(frame->version.octets); i++)
        frame->version.octets[i] = reader_u8(&reader);
    frame->service = reader_u8(&reader);
    frame->payload_bytes = reader_u32(&reader);
    if (frame->payload_bytes > ETSI004_PAYLOAD_MAX_BYTES)
        return ETSI004_TOO_LARGE;
    frame->payload = reader_take(&reader, frame->payload_bytes);
    return frame->payload != NULL ? ETSI004_COMPLETE : ETSI004_INCOMPLETE;
}

size_t etsi004_frame_begin(struct buf *buf, struct etsi004_version version,
                           enum etsi004_service service)
{
    size_t begin = buf->length;

    buf_put(buf, version.octets, sizeof(version.octets));
    buf_put_u8(buf, (uint8_t)service);
    buf_put_u32(buf, 0);
    return begin;
}

void etsi004_frame_end(struct buf *buf, size_t begin)
{
    size_t payload_bytes;

    if (buf->failed)
        return;
    payload_bytes = buf->length - begin - ETSI004_HEADER_BYTES;
    if (payload_bytes > ETSI004_PAYLOAD_MAX_BYTES) {
        buf->failed = true;
        return;
    }
    for (int i = 0; i < 4; i++)
        buf->data[begin + LENGTH_OFFSET + (size_t)i] = (uint8_t)(payload_bytes >> (24 - 8 * i));
}
