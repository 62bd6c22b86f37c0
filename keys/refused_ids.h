/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IDs that a key server refused: for a while it need not be asked for them again. What is
 * remembered is bounded: a newer ID may take the place of an older one, which is then asked for
 * once more. An ID that nobody noted is never said to be refused.
 *
 * Without locks; any thread may call anything except refused_ids_free. A forked child remembers
 * nothing. Times are nanoseconds of the monotonic clock.
 */
#ifndef QKD_KEYS_REFUSED_IDS_H
#define QKD_KEYS_REFUSED_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/key_id.h"

enum { REFUSED_IDS_PLACES = 1024, REFUSED_IDS_S = 10 };

struct refused_ids;

/* NULL when out of memory. */
struct refused_ids *refused_ids_new(void);
void refused_ids_free(struct refused_ids *refused);

/* Whether it was noted less than REFUSED_IDS_S ago. */
bool refused_ids_has(struct refused_ids *refused, const struct key_id *id, int64_t now_ns);

void refused_ids_note(struct refused_ids *refused, const struct key_id *id, int64_t now_ns);

#endif
