/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/sockets.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool bind_fd(int fd, const struct address *address)
{
    int on = 1;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
           bind(fd, (const struct sockaddr *)&address->socket, address->socket_length) == 0;
}

int sockets_bind_one(const struct address *address, struct status *status)
{
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind_fd(fd, address))
        return fd;
    status_fail(status, OUTCOME_CONFIG, "cannot listen on %s: %s", address->text, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool add(struct sockets *sockets, const struct address *address, struct status *status)
{
    int fd;

    for (size_t i = 0; i < sockets->count; i++)
        if (strcmp(sockets->items[i].address, address->text) == 0)
            return true;
    if (sockets->count == SOCKETS_MAX)
        return status_fail(status, OUTCOME_CONFIG, "more than %d addresses to listen on",
                           SOCKETS_MAX);
    fd = sockets_bind_one(address, status);
    if (fd < 0)
        return false;
    memcpy(sockets->items[sockets->count].address, address->text, sizeof(address->text));
    sockets->items[sockets->count].fd = fd;
    sockets->count++;
    return true;
}

bool sockets_bind(struct sockets *sockets, const struct kme_config *config, struct status *status)
{
    if (!add(sockets, &config->etsi014.listen, status) ||
        !add(sockets, &config->admin.listen, status))
        return false;
    if (kme_config_has_004(config) && !add(sockets, &config->etsi004.listen, status))
        return false;
    for (size_t i = 0; i < config->links.count; i++) {
        const struct config_link *link = &config->links.items[i];

        if (strcmp(config->kme_id, link->peer_kme_id) > 0 && !add(sockets, &link->listen, status))
            return false;
    }
    return true;
}

int sockets_take(struct sockets *sockets, const struct address *address)
{
    for (size_t i = 0; i < sockets->count; i++) {
        int fd = sockets->items[i].fd;

        if (strcmp(sockets->items[i].address, address->text) != 0)
            continue;
        sockets->count--;
        sockets->items[i] = sockets->items[sockets->count];
        return fd;
    }
    return -1;
}

void sockets_close(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        close(sockets->items[i].fd);
    sockets->count = 0;
}
