/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that encode link frames share. Private to link_codec*.c. */
#ifndef QKD_KME_LINK_CODEC_PARTS_H
#define QKD_KME_LINK_CODEC_PARTS_H

#include "kme/link_codec.h"

/* The length goes in front once the body is known. Returns where it goes. */
size_t link_frame_begin(struct buf *buf, enum frame_type type);
void link_frame_end(struct buf *buf, size_t at);

/* One octet of length, then the name; 0 to ETSI014_ID_MAX_CHARS octets. */
void link_name_put(struct buf *buf, const char *name);

/* Names are not empty and have no NUL, else the reader fails. */
void link_name_take(struct reader *reader, char name[static ETSI014_ID_MAX_CHARS + 1]);
void link_octets_take(struct reader *reader, void *to, size_t length);

/* One octet of count, then the names; at least one, none twice, else the reader fails. */
void link_names_put(struct buf *buf, const struct names *names);
void link_names_take(struct reader *reader, struct names *names);

/* Octets, how many blocks, their IDs. */
void link_cut_put(struct buf *buf, const struct cut *cut);
bool link_cut_take(struct reader *reader, struct cut *cut);

bool link_relay_take(struct reader *reader, struct frame *frame);

/* Parsers of the frames about key streams. */
bool link_stream_open_take(struct reader *reader, struct frame *frame);
bool link_stream_joined_take(struct reader *reader, struct frame *frame);
bool link_stream_chunk_take(struct reader *reader, struct frame *frame);
bool link_stream_want_take(struct reader *reader, struct frame *frame);
bool link_stream_closed_take(struct reader *reader, struct frame *frame);

/* Parsers of the frames about segments and blocks (link_codec_store.c). */
bool link_segments_take(struct reader *reader, struct frame *frame);
bool link_inventory_take(struct reader *reader, struct frame *frame);
bool link_reconciled_take(struct reader *reader, struct frame *frame);
bool link_blocks_take(struct reader *reader, struct frame *frame);

#endif
