/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/crypto.h>

#include "kme/sockets.h"

enum { BACKLOG = 512, PAUSE_MS = 100 };

struct listener {
    const struct env *env;
    struct evconnlistener *socket;
    struct event *pause; /* out of descriptors: try again a little later */
    listener_accept accept;
    void *arg;
    char address[ADDRESS_TEXT_BYTES];
};

static void on_accept(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *from,
                      int from_length, void *arg)
{
    struct listener *listener = arg;
    int on = 1;

    (void)socket;
    (void)from;
    (void)from_length;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    listener->accept(listener->arg, fd);
}

static void on_error(struct evconnlistener *socket, void *arg)
{
    static const struct timeval pause = {0, PAUSE_MS * 1000};
    struct listener *listener = arg;

    log_line(listener->env->log, LOG_LEVEL_WARN, "cannot accept a connection on %s: %s",
             listener->address, strerror(errno));
    evconnlistener_disable(socket);
    event_add(listener->pause, &pause);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct listener *listener = arg;

    (void)fd;
    (void)what;
    evconnlistener_enable(listener->socket);
}

static void open_socket(struct listener *listener, const struct address *address,
                        struct status *status)
{
    int fd = sockets_take(listener->env->sockets, address);

    if (fd < 0)
        fd = sockets_bind_one(address, status);
    if (fd < 0)
        return;
    errno = 0;
    listener->socket =
        evconnlistener_new(listener->env->base, on_accept, listener,
                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
    if (listener->socket == NULL) {
        status_fail(status, OUTCOME_CONFIG, "cannot listen on %s: %s", address->text,
                    strerror(errno));
        close(fd);
    }
}

struct listener *listener_new(const struct env *env, const struct address *address,
                              listener_accept accept, void *arg, struct status *status)
{
    struct listener *listener = OPENSSL_zalloc(sizeof(*listener));

    if (listener == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for a listener");
        return NULL;
    }
    listener->env = env;
    listener->accept = accept;
    listener->arg = arg;
    memcpy(listener->address, address->text, sizeof(listener->address));
    listener->pause = evtimer_new(env->base, on_pause_over, listener);
    if (listener->pause == NULL)
        status_fail(status, OUTCOME_INTERNAL, "out of memory for a listener");
    else
        open_socket(listener, address, status);
    if (listener->socket == NULL) {
        listener_free(listener);
        return NULL;
    }
    evconnlistener_set_error_cb(listener->socket, on_error);
    return listener;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    if (listener->socket != NULL)
        evconnlistener_free(listener->socket);
    if (listener->pause != NULL)
        event_free(listener->pause);
    OPENSSL_free(listener);
}
