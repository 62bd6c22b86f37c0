/* SPDX-License-Identifier: Apache-2.0 */
/* The chunked transfer coding of RFC 9112 section 7.1, for net/http.c alone. */
#ifndef QKD_NET_HTTP_CHUNKS_H
#define QKD_NET_HTTP_CHUNKS_H

#include "net/http.h"

enum http_chunk_phase { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER };

/* Same contract as http_response_feed, in the body. */
bool http_chunks_feed(struct http_response *response, struct buf *input, struct status *status);

#endif
