/* SPDX-License-Identifier: Apache-2.0 */
/* When a request may be sent a second time because a kept connection had died. */
#ifndef QKD_KEYS_REPEATABLE_H
#define QKD_KEYS_REPEATABLE_H

#include <stdbool.h>

#include "base/status.h"

/* REPEAT_NEVER: not once the key server may have seen it, since it costs a key. */
enum repeatable { REPEAT_NEVER, REPEAT_ONCE };

/* How far an exchange came. */
enum progress { NOTHING_SENT, SENT, ANSWERING, ANSWERED };

static inline bool may_repeat(enum progress progress, enum repeatable repeatable,
                              const struct status *failure)
{
    if (failure->outcome == OUTCOME_TIMEOUT)
        return false;
    return progress == NOTHING_SENT || (progress == SENT && repeatable == REPEAT_ONCE);
}

#endif
