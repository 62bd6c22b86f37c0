/* SPDX-License-Identifier: Apache-2.0 */
#include "net/resolve.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <ares.h>
#include <arpa/inet.h>

/* c-ares tells of one more by a shift into the sign bit of an int. */
enum { SOCKETS_MAX = ARES_GETSOCK_MAXNUM - 1 };

struct query {
    struct resolved *resolved;
    bool done;
    int code;
};

static void on_answer(void *argument, int code, int timeouts, struct ares_addrinfo *answer)
{
    struct query *query = argument;

    (void)timeouts;
    query->done = true;
    query->code = code;
    for (const struct ares_addrinfo_node *node = answer != NULL ? answer->nodes : NULL;
         node != NULL && query->resolved->count < RESOLVE_MAX_ADDRESSES; node = node->ai_next) {
        size_t place = query->resolved->count++;

        memcpy(&query->resolved->entries[place].address, node->ai_addr, node->ai_addrlen);
        query->resolved->entries[place].length = node->ai_addrlen;
    }
    ares_freeaddrinfo(answer);
}

static nfds_t wanted_sockets(ares_channel channel, struct pollfd *polled)
{
    ares_socket_t sockets[SOCKETS_MAX];
    int bits = ares_getsock(channel, sockets, SOCKETS_MAX);
    nfds_t count = 0;

    for (int i = 0; i < SOCKETS_MAX; i++) {
        short events = (short)((ARES_GETSOCK_READABLE(bits, i) ? POLLIN : 0) |
                               (ARES_GETSOCK_WRITABLE(bits, i) ? POLLOUT : 0));

        if (events != 0)
            polled[count++] = (struct pollfd){.fd = sockets[i], .events = events};
    }
    return count;
}

static void wait_once(ares_channel channel, const struct deadline *deadline)
{
    struct pollfd polled[SOCKETS_MAX];
    struct timeval limit, next, *timeout;
    nfds_t count = wanted_sockets(channel, polled);
    int left_ms = deadline_left_ms(deadline);

    limit = (struct timeval){left_ms / 1000, left_ms % 1000 * 1000};
    timeout = ares_timeout(channel, &limit, &next);
    if (poll(polled, count, (int)(timeout->tv_sec * 1000 + timeout->tv_usec / 1000 + 1)) <= 0) {
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        return;
    }
    for (nfds_t i = 0; i < count; i++)
        ares_process_fd(channel, polled[i].revents & ~POLLOUT ? polled[i].fd : ARES_SOCKET_BAD,
                        polled[i].revents & POLLOUT ? polled[i].fd : ARES_SOCKET_BAD);
}

static bool judge(const struct query *query, const struct endpoint_address *name,
                  struct status *status)
{
    if (!query->done)
        return status_fail(status, OUTCOME_TIMEOUT,
                           "the name '%s' was not resolved within the time budget", name->host);
    if (query->code != ARES_SUCCESS)
        return status_fail(status, OUTCOME_KME, "cannot resolve the name '%s': %s", name->host,
                           ares_strerror(query->code));
    if (query->resolved->count == 0)
        return status_fail(status, OUTCOME_KME, "the name '%s' has no address", name->host);
    return true;
}

/* Adds the address if the text is one, IPv4 or IPv6. */
static bool add_address(struct resolved *resolved, const char *text, const char *port)
{
    struct sockaddr_storage *to = &resolved->entries[resolved->count].address;
    struct sockaddr_in ipv4 = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = ipv4.sin_port};
    socklen_t length = 0;

    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1) {
        length = sizeof(ipv4);
        memcpy(to, &ipv4, length);
    } else if (inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1) {
        length = sizeof(ipv6);
        memcpy(to, &ipv6, length);
    }
    if (length == 0)
        return false;
    resolved->entries[resolved->count++].length = length;
    return true;
}

/* What needs no look-up: addresses, and localhost, which always means this machine (RFC 6761,
 * section 6.3) and must not depend on a hosts file. */
static bool resolve_at_once(const struct endpoint_address *name, struct resolved *resolved)
{
    if (strcmp(name->host, "localhost") == 0)
        return add_address(resolved, "127.0.0.1", name->port) &&
               add_address(resolved, "::1", name->port);
    return add_address(resolved, name->host, name->port);
}

bool resolve(const struct endpoint_address *name, struct resolved *resolved,
             const struct deadline *deadline, struct status *status)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct query query = {.resolved = resolved};
    ares_channel channel;
    bool ok;

    resolved->count = 0;
    if (resolve_at_once(name, resolved))
        return true;
    if (ares_init(&channel) != ARES_SUCCESS)
        return status_fail(status, OUTCOME_INTERNAL, "cannot set up name resolution for '%s'",
                           name->host);
    ares_getaddrinfo(channel, name->host, name->port, &hints, on_answer, &query);
    while (!query.done && !deadline_passed(deadline))
        wait_once(channel, deadline);
    ok = judge(&query, name, status);
    ares_destroy(channel); /* calls on_answer for what is still open */
    return ok;
}
