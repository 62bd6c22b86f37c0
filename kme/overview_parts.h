/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of the overview. Private to overview*.c. */
#ifndef QKD_KME_OVERVIEW_PARTS_H
#define QKD_KME_OVERVIEW_PARTS_H

#include <stdint.h>

#include "kme/json_out.h"
#include "kme/metrics.h"
#include "kme/peers.h"

/* "saes_total", and "saes", the last seen first. */
void overview_put_saes(const struct metrics *metrics, int64_t now_ns, struct json_out *out);

/* "requests", by method. */
void overview_put_requests(const struct metrics *metrics, struct json_out *out);

/* "streams": how many in which state, and the newest. */
void overview_put_streams(const struct peers *peers, int64_t now_ns, struct json_out *out);

#endif
