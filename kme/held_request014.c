/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests for keys that are there, but at rest: more of them than the window has open. They wait
 * until enough is open.
 */
#include "kme/config.h"
#include "kme/held014.h"

struct held_request {
    struct held014 held; /* first */
    struct etsi014_key_request asked;
};

static void time_is_up(void *held)
{
    struct held_request *waiting = held;

    reserve014_asked(&waiting->held.call, &waiting->asked, false);
    held014_release(&waiting->held);
}

bool held_request014(const struct call014 *call, const struct etsi014_key_request *asked)
{
    static const struct held014_kind kind = {sizeof(struct held_request), time_is_up, NULL};
    struct held_request *waiting = held014_new(call, &kind, &call->service->held_requests,
                                               call->service->env->config->limits.hold_ms);

    if (waiting == NULL)
        return false;
    waiting->asked = *asked;
    return true;
}

void held_request014_stocked(void *arg)
{
    struct service014 *service = arg;
    struct held014 *held = TAILQ_FIRST(&service->held_requests), *next;

    for (; held != NULL; held = next) {
        next = TAILQ_NEXT(held, next);
        if (reserve014_asked(&held->call, &((struct held_request *)held)->asked, true))
            held014_release(held);
    }
}
