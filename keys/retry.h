/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing pauses between attempts at something that may pass by itself: a key ID, a stream or
 * key material that is on its way between two key servers. Bounded well below the time budget of
 * a handshake, because anyone can name an ID that does not exist.
 */
#ifndef QKD_KEYS_RETRY_H
#define QKD_KEYS_RETRY_H

#include <stdbool.h>

#include "base/deadline.h"

enum { RETRY_WINDOW_MS = 200 };

struct retry {
    struct deadline window;
    int pause_ms;
};

/* Begins with the first attempt. */
struct retry retry_begin(void);

/* Whether there is time for another attempt. */
bool retry_has_time(const struct retry *retry, const struct deadline *deadline);

/* Pauses before it; false, at once, when there is no time. */
bool retry_pause(struct retry *retry, const struct deadline *deadline);

#endif
