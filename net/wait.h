/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a socket, never longer than a deadline. For net/ alone. */
#ifndef QKD_NET_WAIT_H
#define QKD_NET_WAIT_H

#include <stdbool.h>

#include "base/deadline.h"
#include "base/status.h"

/* Looks whether the socket has one of the events of poll(2), and waits for it until the deadline.
 * False, and *status, when it has none by then (OUTCOME_TIMEOUT; `what` says what was going on),
 * or when nobody can tell (OUTCOME_INTERNAL). */
bool wait_for(int fd, short events, const struct deadline *deadline, const char *what,
              struct status *status);

/* The same for a socket that was found not ready just now: without a look when the deadline has
 * passed. */
bool wait_on(int fd, short events, const struct deadline *deadline, const char *what,
             struct status *status);

#endif
