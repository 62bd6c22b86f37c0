/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts that the messages of ETSI 004 are made of. Writers leave a failed buf when something
 * has no place on the wire; readers return false for what does not fit. Private to this folder.
 */
#ifndef QKD_ETSI_ETSI004_WIRE_H
#define QKD_ETSI_ETSI004_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/key_id.h"
#include "etsi/etsi004.h"

/* Puts a header and returns where it stands; the payload follows it. */
size_t etsi004_frame_begin(struct buf *buf, struct etsi004_version version,
                           enum etsi004_service service);

/* Enters the length of the payload into the header at `begin`. */
void etsi004_frame_end(struct buf *buf, size_t begin);

void etsi004_outcome_put(struct buf *buf, enum etsi004_profile profile,
                         enum etsi004_outcome outcome);

/* False for a number that the profile does not know. */
bool etsi004_outcome_of(enum etsi004_profile profile, uint32_t number,
                        enum etsi004_outcome *outcome);

/* A text and its NUL; `size` is that of the array that holds it. */
void etsi004_text_put(struct buf *buf, const char *text, size_t size);
bool etsi004_text_take(struct reader *reader, char *text, size_t size);

void etsi004_stream_id_put(struct buf *buf, const struct key_id *stream_id);
bool etsi004_stream_id_take(struct reader *reader, struct key_id *stream_id);

/* QoS and stream ID, with which OPEN_CONNECT and its answer end. */
void etsi004_terms_put(struct buf *buf, enum etsi004_profile profile, const struct etsi004_qos *qos,
                       const struct key_id *stream_id);

/* Reads to the end of the message and sets *profile to the one that its length tells. A media
 * type of 255 characters looks the same in both and leaves *profile alone. */
bool etsi004_terms_take(struct reader *reader, enum etsi004_profile *profile,
                        struct etsi004_qos *qos, struct key_id *stream_id);

#endif
