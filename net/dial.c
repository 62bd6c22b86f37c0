/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "net/wait.h"

enum { PATIENCE_MS = 250 };

/* A kept connection says something before what is on the way (NAT, firewall, load balancer)
 * forgets it, and a dead one is found out by the kernel, within a minute. */
enum { ALIVE_IDLE_S = 45, ALIVE_INTERVAL_S = 5, ALIVE_PROBES = 3 };

static const struct {
    int level, name, value;
} socket_options[] = {
    {IPPROTO_TCP, TCP_NODELAY, 1},
    {SOL_SOCKET, SO_KEEPALIVE, 1},
    {IPPROTO_TCP, TCP_KEEPIDLE, ALIVE_IDLE_S},
    {IPPROTO_TCP, TCP_KEEPINTVL, ALIVE_INTERVAL_S},
    {IPPROTO_TCP, TCP_KEEPCNT, ALIVE_PROBES},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, (ALIVE_IDLE_S + ALIVE_INTERVAL_S * ALIVE_PROBES) * 1000},
};

/* A kernel that lacks one makes a connection all the same. */
static void set_options(int fd)
{
    for (size_t i = 0; i < sizeof(socket_options) / sizeof(socket_options[0]); i++)
        setsockopt(fd, socket_options[i].level, socket_options[i].name, &socket_options[i].value,
                   sizeof(socket_options[i].value));
}

static int start_connect(const struct sockaddr *address, socklen_t length, struct status *status)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        status_fail(status, OUTCOME_KME, "socket: %s", strerror(errno));
        return -1;
    }
    set_options(fd);
    if (connect(fd, address, length) == 0 || errno == EINPROGRESS)
        return fd;
    status_fail(status, OUTCOME_KME, "connect: %s", strerror(errno));
    close(fd);
    return -1;
}

/* With the first address from `place` on that can be begun with. */
static bool begin_from(struct dial *dial, size_t place, struct status *status)
{
    struct status attempt = STATUS_INIT;

    for (; place < dial->resolved.count; place++) {
        status_clear(&attempt);
        dial->fd = start_connect((const struct sockaddr *)&dial->resolved.entries[place].address,
                                 dial->resolved.entries[place].length, &attempt);
        if (dial->fd >= 0) {
            dial->place = place;
            dial->patience = deadline_in_ms(PATIENCE_MS);
            return true;
        }
    }
    return status_fail(status, attempt.outcome, "%s", attempt.text);
}

bool dial_begin(struct dial *dial, const struct endpoint_address *name,
                const struct deadline *deadline, struct status *status)
{
    dial->fd = -1;
    return resolve(name, &dial->resolved, deadline, status) && begin_from(dial, 0, status);
}

static bool finish_connect(int fd, const struct deadline *deadline, struct status *status)
{
    int error = 0;
    socklen_t length = sizeof(error);

    if (!wait_for(fd, POLLOUT, deadline, "connecting", status))
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    return error == 0 || status_fail(status, OUTCOME_KME, "connect: %s", strerror(error));
}

/* Every address gets an equal part of what is left, so that a dead one leaves time for others. */
static struct deadline part_of(const struct dial *dial, const struct deadline *deadline)
{
    size_t remaining = dial->resolved.count - dial->place;

    return remaining == 1 ? *deadline : deadline_in_ms(deadline_left_ms(deadline) / (int)remaining);
}

/* Whether another address comes first, or the caller looks again later. */
static bool is_given_up(const struct dial *dial, const struct deadline *deadline)
{
    return dial->place + 1 < dial->resolved.count &&
           (!deadline_passed(deadline) || deadline_passed(&dial->patience));
}

bool dial_advance(struct dial *dial, const struct deadline *deadline, struct status *status)
{
    for (;;) {
        struct deadline part = part_of(dial, deadline);
        struct status attempt = STATUS_INIT;

        if (finish_connect(dial->fd, &part, &attempt))
            return true;
        if (attempt.outcome == OUTCOME_TIMEOUT && !is_given_up(dial, deadline))
            return status_fail(status, attempt.outcome, "%s", attempt.text);
        close(dial->fd);
        dial->fd = -1;
        if (dial->place + 1 == dial->resolved.count)
            return status_fail(status, attempt.outcome, "%s", attempt.text);
        if (!begin_from(dial, dial->place + 1, status))
            return false;
    }
}

bool dial_again(struct dial *dial, struct status *status)
{
    close(dial->fd);
    dial->fd = -1;
    return begin_from(dial, dial->place, status);
}
