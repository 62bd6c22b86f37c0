/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service manager wants to hear (the sd_notify protocol): datagrams of VARIABLE=VALUE
 * lines to the socket that it names in the environment. Without one, everything is a no-op.
 */
#ifndef QKD_KME_NOTIFY_H
#define QKD_KME_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/status.h"

struct notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_length;
    int64_t watchdog_us; /* a sign of life is due at least this often; 0: never */
};

/* Reads and removes NOTIFY_SOCKET (a path, or @name in the abstract name space), WATCHDOG_USEC
 * and WATCHDOG_PID. False and *status when there is a socket that cannot be used; *notify is then
 * as without one. */
bool notify_open(struct notify *notify, struct status *status);
void notify_close(struct notify *notify);

/* One message, which is lost if nobody takes it within a second. There is room for a sentence of a
 * struct status and as much again; what does not fit is not sent. */
void notify_say(const struct notify *notify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
