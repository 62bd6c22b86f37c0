/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/retry.h"

#include <poll.h>
#include <stddef.h>

enum { FIRST_PAUSE_MS = 10 };

struct retry retry_begin(void)
{
    struct retry retry = {deadline_in_ms(RETRY_WINDOW_MS), FIRST_PAUSE_MS};

    return retry;
}

bool retry_has_time(const struct retry *retry, const struct deadline *deadline)
{
    return retry->pause_ms < deadline_left_ms(&retry->window) &&
           retry->pause_ms < deadline_left_ms(deadline);
}

bool retry_pause(struct retry *retry, const struct deadline *deadline)
{
    if (!retry_has_time(retry, deadline))
        return false;
    poll(NULL, 0, retry->pause_ms);
    retry->pause_ms *= 2;
    return true;
}
