/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 2 * STATUS_TEXT_BYTES, NUMBER_BASE = 10 };

static bool read_number(const char *text, int64_t *number)
{
    char *end = NULL;

    errno = 0;
    *number = strtoll(text, &end, NUMBER_BASE);
    return errno == 0 && end != text && *end == '\0' && *number > 0;
}

/* The variables may be meant for another process, of which we are a child. */
static int64_t watchdog_us(void)
{
    const char *period = getenv("WATCHDOG_USEC"), *for_pid = getenv("WATCHDOG_PID");
    int64_t us = 0, pid = 0;

    if (period == NULL || !read_number(period, &us))
        return 0;
    if (for_pid != NULL && (!read_number(for_pid, &pid) || pid != getpid()))
        return 0;
    return us;
}

static bool set_address(struct notify *notify, const char *name)
{
    size_t length = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || length < 2 || length >= sizeof(notify->to.sun_path))
        return false;
    notify->to.sun_family = AF_UNIX;
    memcpy(notify->to.sun_path, name, length);
    if (name[0] == '@')
        notify->to.sun_path[0] = '\0';
    notify->to_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return true;
}

static bool open_socket(struct notify *notify)
{
    static const struct timeval patience = {1, 0};

    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return notify->fd >= 0 &&
           setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0;
}

bool notify_open(struct notify *notify, struct status *status)
{
    const char *name = getenv("NOTIFY_SOCKET");
    bool good = true;

    memset(notify, 0, sizeof(*notify));
    notify->fd = -1;
    notify->watchdog_us = watchdog_us();
    if (name != NULL && !set_address(notify, name))
        good = status_fail(status, OUTCOME_CONFIG,
                           "NOTIFY_SOCKET = \"%s\" is neither a path nor an @name", name);
    else if (name != NULL && !open_socket(notify))
        good = status_fail(status, OUTCOME_INTERNAL, "no socket for the service manager: %s",
                           strerror(errno));
    if (!good || name == NULL)
        notify_close(notify);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return good;
}

void notify_close(struct notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
    notify->watchdog_us = 0;
}

void notify_say(const struct notify *notify, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list args;
    int length;

    if (notify->fd < 0)
        return;
    va_start(args, format);
    length = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (length > 0 && (size_t)length < sizeof(message))
        sendto(notify->fd, message, (size_t)length, MSG_NOSIGNAL,
               (const struct sockaddr *)&notify->to, notify->to_length);
}
