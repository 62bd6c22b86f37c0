/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/server.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#include "base/deadline.h"
#include "kme/admin.h"
#include "kme/config.h"
#include "kme/env.h"
#include "kme/journal.h"
#include "kme/link.h"
#include "kme/memory_lock.h"
#include "kme/metrics.h"
#include "kme/misbehave.h"
#include "kme/notify.h"
#include "kme/peer.h"
#include "kme/peers.h"
#include "kme/privileges.h"
#include "kme/seal.h"
#include "kme/service004.h"
#include "kme/service014.h"
#include "kme/shelf.h"
#include "kme/sockets.h"
#include "kme/tls.h"

static const char program[] = "qkd-kme";

#define NS_PER_US INT64_C(1000)

enum {
    SIGNALS = 3,
    EXPIRY_S = 1,
    DRAIN_MS = 2000, /* for answers under way when the server is told to end */
    DRAIN_POLL_MS = 5,
    US_PER_MS = 1000,
    US_PER_S = 1000000
};

struct server {
    const char *config_path;
    struct env env;
    struct kme_config *config;
    struct tls_set *tls;
    OSSL_PROVIDER *provider;
    struct metrics metrics;
    struct peers peers;
    struct misbehave misbehave;
    struct service014 *service014;
    struct service004 *service004;
    struct admin *admin;
    struct event *signals[SIGNALS], *expiry, *watchdog, *drain;
    struct sockets sockets;
    struct notify notify;
    size_t told_links_up;
    bool ending;
    struct deadline drained;
};

static bool add_saes(struct server *server, const struct kme_config *config)
{
    for (size_t i = 0; i < config->saes.count; i++)
        if (!metrics_add_sae(&server->metrics, config->saes.items[i].id))
            return false;
    return true;
}

static size_t links_up(const struct server *server)
{
    size_t up = 0;

    for (size_t i = 0; i < server->peers.count; i++)
        up += link_is_up(server->peers.items[i].link) ? 1 : 0;
    return up;
}

static void tell_state(const struct server *server)
{
    notify_say(&server->notify, "STATUS=%s: %zu of %zu links up (SIMULATED quantum channels)",
               server->config->kme_id, server->told_links_up, server->peers.count);
}

/* All of what a file says takes effect, or nothing of it. */
struct fresh {
    struct kme_config *config;
    struct log *log;
    struct tls_set *tls;
};

static void free_fresh(struct fresh *fresh)
{
    tls_set_free(fresh->tls);
    log_close(fresh->log);
    kme_config_free(fresh->config);
}

static bool read_fresh(struct server *server, struct fresh *fresh, struct status *status)
{
    fresh->config = kme_config_load(server->config_path, status);
    if (fresh->config == NULL)
        return false;
    fresh->log = log_open(fresh->config->log_level, program, status);
    if (fresh->log == NULL)
        return false;
    fresh->tls = tls_set_new(&server->env, fresh->config, status);
    if (fresh->tls == NULL)
        return false;
    if (!kme_config_keep_fixed(fresh->config, server->config, server->env.log) ||
        !add_saes(server, fresh->config))
        return status_fail(status, OUTCOME_INTERNAL, "out of memory");
    /* Last, for it takes effect at once. */
    return journal_open(server->env.journal, fresh->config->audit_log, status);
}

static void note(const struct server *server, enum journal_event event, const char *outcome)
{
    const struct journal_entry entry = {.event = event, .outcome = outcome};

    journal_note(server->env.journal, &entry);
}

static void reload(struct server *server)
{
    struct status status = STATUS_INIT;
    struct fresh fresh = {NULL, NULL, NULL}, old = {server->config, server->env.log, server->tls};

    notify_say(&server->notify, "RELOADING=1\nMONOTONIC_USEC=%lld",
               (long long)(monotonic_ns() / NS_PER_US));
    if (!read_fresh(server, &fresh, &status)) {
        log_line(server->env.log, LOG_LEVEL_ERROR, "the old configuration stays: %s", status.text);
        server->metrics.reloads[RELOAD_REFUSED]++;
        note(server, JOURNAL_RELOAD_REFUSED, status.text);
        free_fresh(&fresh);
        notify_say(&server->notify, "READY=1\nSTATUS=The old configuration stays: %s", status.text);
        return;
    }
    server->config = fresh.config;
    server->tls = fresh.tls;
    server->env.config = fresh.config;
    server->env.log = fresh.log;
    server->env.tls = fresh.tls;
    free_fresh(&old);
    server->metrics.reloads[RELOAD_DONE]++;
    note(server, JOURNAL_RELOAD, NULL);
    misbehave_load(&server->misbehave, fresh.config->misbehave.items, fresh.config->misbehave.count,
                   fresh.log);
    log_line(fresh.log, LOG_LEVEL_INFO, "the configuration was read again");
    notify_say(&server->notify, "READY=1");
    tell_state(server);
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
        reload(server);
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
        tell_state(server);
    }
}

static bool watch_signals(struct server *server, struct status *status)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

    for (int i = 0; i < SIGNALS; i++) {
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

/* What both running and checking need. */
static bool prepare(struct server *server, const char *config_path, struct status *status)
{
    server->config_path = config_path;
    server->config = kme_config_load(config_path, status);
    if (server->config == NULL)
        return false;
    server->env.config = server->config;
    server->env.metrics = &server->metrics;
    server->env.misbehave = &server->misbehave;
    server->env.log = log_open(server->config->log_level, program, status);
    if (server->env.log == NULL)
        return false;
    server->env.libctx = OSSL_LIB_CTX_new();
    if (server->env.libctx != NULL)
        server->provider = OSSL_PROVIDER_load(server->env.libctx, "default");
    if (server->provider == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "OpenSSL's default provider does not load");
    if (!add_saes(server, server->config))
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for counters");
    server->tls = tls_set_new(&server->env, server->config, status);
    server->env.tls = server->tls;
    return server->tls != NULL;
}

static bool open_shelf(struct env *env, struct status *status)
{
    const struct kme_config *config = env->config;

    if (config->store.path == NULL)
        return true;
    env->shelf = shelf_open(env, config->store.path, config->store.key_file, status);
    return env->shelf != NULL;
}

static bool start(struct server *server, struct status *status)
{
    struct env *env = &server->env;

    env->base = event_base_new();
    if (env->base != NULL)
        env->journal = journal_new(env);
    if (env->journal == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory at the start");
    if (!journal_open(env->journal, env->config->audit_log, status))
        return false;
    if (!open_shelf(env, status) || !peers_start(&server->peers, env, status))
        return false;
    server->service014 = service014_new(env, &server->peers, status);
    if (server->service014 == NULL)
        return false;
    server->service004 = service004_new(env, &server->peers, status);
    if (server->service004 == NULL)
        return false;
    server->admin = admin_new(env, &server->peers, status);
    return server->admin != NULL && watch_signals(server, status) && watch_time(server, status);
}

static void announce_store(const struct kme_config *config, const struct log *log)
{
    if (config->store.path == NULL)
        log_line(log, LOG_LEVEL_INFO, "key material is held in memory only");
    else if (config->store.key_file == NULL)
        log_line(log, LOG_LEVEL_WARN,
                 "the store %s IS NOT SEALED: whoever reads it has keys; name a store.key_file",
                 config->store.path);
    else
        log_line(log, LOG_LEVEL_INFO, "the store %s is sealed", config->store.path);
}

static void announce_link(const struct kme_config *config, const struct config_link *link,
                          const struct log *log)
{
    if (strcmp(config->kme_id, link->peer_kme_id) < 0)
        log_line(log, LOG_LEVEL_INFO, "link dials '%s' at %s", link->peer_kme_id,
                 link->connect.text);
    else
        log_line(log, LOG_LEVEL_INFO, "link to '%s' listens on %s", link->peer_kme_id,
                 link->listen.text);
}

static void announce(const struct server *server)
{
    const struct kme_config *config = server->config;
    const struct log *log = server->env.log;

    log_line(log, LOG_LEVEL_WARN,
             "%s: THE QUANTUM CHANNEL IS SIMULATED: keys come from this machine's random numbers",
             config->kme_id);
    log_line(log, LOG_LEVEL_INFO, "ETSI 014 listens on https://%s", config->etsi014.listen.text);
    if (kme_config_has_004(config))
        log_line(log, LOG_LEVEL_INFO, "ETSI 004 listens on %s, %s", config->etsi004.listen.text,
                 config->etsi004.compat);
    log_line(log, LOG_LEVEL_INFO, "admin listens on http://%s", config->admin.listen.text);
    announce_store(config, log);
    for (size_t i = 0; i < config->links.count; i++)
        announce_link(config, &config->links.items[i], log);
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

static void close_shelf(struct env *env)
{
    struct status status = STATUS_INIT;

    if (!shelf_close(env->shelf, &status))
        log_line(env->log, LOG_LEVEL_ERROR, "at the end: %s", status.text);
    env->shelf = NULL;
}

static void stop(struct server *server)
{
    bool ran = server->admin != NULL;

    admin_free(server->admin);
    service014_free(server->service014);
    service004_free(server->service004);
    peers_free(&server->peers);
    close_shelf(&server->env);
    for (int i = 0; i < SIGNALS; i++)
        free_event(server->signals[i]);
    free_event(server->expiry);
    free_event(server->watchdog);
    free_event(server->drain);
    if (ran)
        note(server, JOURNAL_STOP, NULL);
    journal_free(server->env.journal);
    if (server->env.base != NULL)
        event_base_free(server->env.base);
    libevent_global_shutdown();
    metrics_free(&server->metrics);
    tls_set_free(server->tls);
    if (server->provider != NULL)
        OSSL_PROVIDER_unload(server->provider);
    OSSL_LIB_CTX_free(server->env.libctx);
    sockets_close(&server->sockets);
    notify_close(&server->notify);
    if (ran)
        log_line(server->env.log, LOG_LEVEL_INFO, "ended");
    log_close(server->env.log);
    kme_config_free(server->config);
}

/* A service manager that cannot be reached is no reason to keep keys from SAEs. */
static void find_service_manager(struct server *server)
{
    struct status status = STATUS_INIT;

    if (!notify_open(&server->notify, &status))
        log_line(server->env.log, LOG_LEVEL_WARN, "%s", status.text);
}

/* While we may be root: reads the files of TLS, binds; then never again. */
static bool shed_privileges(struct server *server, struct status *status)
{
    const struct kme_config *config = server->config;

    if (!privileges_check(config->user, status) ||
        !sockets_bind(&server->sockets, config, status) || !privileges_drop(config->user, status))
        return false;
    if (access(config->key, R_OK) != 0)
        log_line(server->env.log, LOG_LEVEL_WARN,
                 "user '%s' cannot read key = \"%s\": SIGHUP will refuse it", config->user,
                 config->key);
    if (!memory_lock_keep())
        log_line(server->env.log, LOG_LEVEL_WARN,
                 "key memory is not locked and may be swapped: raise RLIMIT_MEMLOCK to unlimited");
    return true;
}

bool server_run(const char *config_path, struct status *status)
{
    struct server server;
    bool started;

    memset(&server, 0, sizeof(server));
    server.notify.fd = -1;
    server.env.sockets = &server.sockets;
    memory_lock();
    started = prepare(&server, config_path, status);
    if (started)
        find_service_manager(&server);
    started = started && shed_privileges(&server, status) && start(&server, status);
    if (started) {
        announce(&server);
        note(&server, JOURNAL_START, NULL);
        misbehave_load(&server.misbehave, server.config->misbehave.items,
                       server.config->misbehave.count, server.env.log);
        notify_say(&server.notify, "READY=1");
        tell_state(&server);
        event_base_dispatch(server.env.base);
    } else {
        notify_say(&server.notify, "STATUS=%s", status->text);
    }
    stop(&server);
    return started;
}

/* The store itself may be in use by the key server that runs. */
static bool check_key_file(const struct kme_config *config, struct status *status)
{
    struct secret *key = NULL;
    bool good = true;

    if (config->store.key_file != NULL) {
        key = seal_read_key_file(config->store.key_file, status);
        good = key != NULL;
    }
    secret_free(key);
    return good;
}

bool server_check(const char *config_path, struct status *status)
{
    struct server server;
    bool good;

    memset(&server, 0, sizeof(server));
    server.notify.fd = -1;
    good = prepare(&server, config_path, status) && privileges_check(server.config->user, status) &&
           check_key_file(server.config, status);
    stop(&server);
    return good;
}
