/* SPDX-License-Identifier: Apache-2.0 */
#include "net/wait.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

static bool ran_out(const char *what, struct status *status)
{
    return status_fail(status, OUTCOME_TIMEOUT, "the time budget ended while %s", what);
}

bool wait_for(int fd, short events, const struct deadline *deadline, const char *what,
              struct status *status)
{
    struct pollfd polled = {.fd = fd, .events = events};

    for (;;) {
        int left_ms = deadline_left_ms(deadline);
        int ready = poll(&polled, 1, left_ms);

        if (ready > 0)
            return true;
        if (ready == 0 || (errno == EINTR && left_ms == 0))
            return ran_out(what, status);
        if (errno != EINTR)
            return status_fail(status, OUTCOME_INTERNAL, "poll failed while %s: %s", what,
                               strerror(errno));
    }
}

bool wait_on(int fd, short events, const struct deadline *deadline, const char *what,
             struct status *status)
{
    return deadline_passed(deadline) ? ran_out(what, status)
                                     : wait_for(fd, events, deadline, what, status);
}
