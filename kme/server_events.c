/* SPDX-License-Identifier: Apache-2.0 */
/* Signals, timers, and the end that a signal asks for. */
#include <signal.h>
#include <string.h>

#include <event2/event.h>

#include "base/deadline.h"
#include "kme/link.h"
#include "kme/server_parts.h"

enum {
    EXPIRY_S = 1,
    DRAIN_MS = 2000, /* for answers under way when the server is told to end */
    DRAIN_POLL_MS = 5,
    US_PER_MS = 1000,
    US_PER_S = 1000000
};

static size_t links_up(const struct server *server)
{
    size_t up = 0;

    for (size_t i = 0; i < server->peers.count; i++)
        up += link_is_up(server->peers.items[i].link) ? 1 : 0;
    return up;
}

void server_tell_state(const struct server *server)
{
    notify_say(&server->notify, "STATUS=%s: %zu of %zu links up (SIMULATED quantum channels)",
               server->config->kme_id, server->told_links_up, server->peers.count);
}

/* Told once: no new connections, and the answers under way get a moment. Told again: ends. */
static void begin_end(struct server *server)
{
    static const struct timeval period = {0, DRAIN_POLL_MS * US_PER_MS};

    server->ending = true;
    notify_say(&server->notify, "STOPPING=1\nSTATUS=Ending");
    service014_drain(server->service014);
    service004_drain(server->service004);
    server->drained = deadline_in_ms(DRAIN_MS);
    event_add(server->drain, &period);
}

static void on_drain(evutil_socket_t ignored, short what, void *arg)
{
    struct server *server = arg;
    bool idle = service014_is_idle(server->service014) && service004_is_idle(server->service004) &&
                peers_are_idle(&server->peers);

    (void)ignored;
    (void)what;
    if (!idle && !deadline_passed(&server->drained))
        return;
    if (!idle)
        log_line(server->env.log, LOG_LEVEL_WARN, "requests under way are cut off after %d ms",
                 DRAIN_MS);
    event_base_loopbreak(server->env.base);
}

static void on_watchdog(evutil_socket_t ignored, short what, void *arg)
{
    const struct server *server = arg;

    (void)ignored;
    (void)what;
    notify_say(&server->notify, "WATCHDOG=1");
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct server *server = arg;

    (void)what;
    if (number == SIGHUP) {
        server_reload(server);
        return;
    }
    log_line(server->env.log, LOG_LEVEL_INFO, "ending: %s", strsignal((int)number));
    if (server->ending)
        event_base_loopbreak(server->env.base);
    else
        begin_end(server);
}

static void on_expiry(evutil_socket_t ignored, short what, void *arg)
{
    struct server *server = arg;

    (void)ignored;
    (void)what;
    peers_tick(&server->peers);
    if (server->told_links_up != links_up(server)) {
        server->told_links_up = links_up(server);
        server_tell_state(server);
    }
}

static bool watch_signals(struct server *server, struct status *status)
{
    static const int numbers[SERVER_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

    for (int i = 0; i < SERVER_SIGNALS; i++) {
        server->signals[i] = evsignal_new(server->env.base, numbers[i], on_signal, server);
        if (server->signals[i] == NULL || event_add(server->signals[i], NULL) != 0)
            return status_fail(status, OUTCOME_INTERNAL, "cannot watch signals");
    }
    return true;
}

static bool watch_time(struct server *server, struct status *status)
{
    static const struct timeval period = {EXPIRY_S, 0};
    int64_t half_us = server->notify.watchdog_us / 2;
    const struct timeval alive = {half_us / US_PER_S, half_us % US_PER_S};
    struct event_base *base = server->env.base;

    server->expiry = event_new(base, -1, EV_PERSIST, on_expiry, server);
    server->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, server);
    server->drain = event_new(base, -1, EV_PERSIST, on_drain, server);
    if (server->expiry == NULL || server->watchdog == NULL || server->drain == NULL ||
        event_add(server->expiry, &period) != 0 ||
        (half_us > 0 && event_add(server->watchdog, &alive) != 0))
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a timer");
    return true;
}

bool server_watch(struct server *server, struct status *status)
{
    return watch_signals(server, status) && watch_time(server, status);
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

void server_unwatch(struct server *server)
{
    for (int i = 0; i < SERVER_SIGNALS; i++)
        free_event(server->signals[i]);
    free_event(server->expiry);
    free_event(server->watchdog);
    free_event(server->drain);
}
