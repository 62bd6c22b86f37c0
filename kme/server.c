/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/server.h"

#include <signal.h>
#include <string.h>

#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#include "kme/admin.h"
#include "kme/config.h"
#include "kme/env.h"
#include "kme/memory_lock.h"
#include "kme/metrics.h"
#include "kme/peers.h"
#include "kme/service004.h"
#include "kme/service014.h"
#include "kme/tls.h"

static const char program[] = "qkd-kme";

enum { SIGNALS = 3, EXPIRY_S = 1 };

struct server {
    const char *config_path;
    struct env env;
    struct kme_config *config;
    struct tls_set *tls;
    OSSL_PROVIDER *provider;
    struct metrics metrics;
    struct peers peers;
    struct service014 *service014;
    struct service004 *service004;
    struct admin *admin;
    struct event *signals[SIGNALS], *expiry;
};

static bool add_saes(struct server *server, const struct kme_config *config)
{
    for (size_t i = 0; i < config->saes.count; i++)
        if (!metrics_add_sae(&server->metrics, config->saes.items[i].id))
            return false;
    return true;
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
    return true;
}

static void reload(struct server *server)
{
    struct status status = STATUS_INIT;
    struct fresh fresh = {NULL, NULL, NULL}, old = {server->config, server->env.log, server->tls};

    if (!read_fresh(server, &fresh, &status)) {
        log_line(server->env.log, LOG_LEVEL_ERROR, "the old configuration stays: %s", status.text);
        server->metrics.reloads[RELOAD_REFUSED]++;
        free_fresh(&fresh);
        return;
    }
    server->config = fresh.config;
    server->tls = fresh.tls;
    server->env.config = fresh.config;
    server->env.log = fresh.log;
    server->env.tls = fresh.tls;
    free_fresh(&old);
    server->metrics.reloads[RELOAD_DONE]++;
    log_line(fresh.log, LOG_LEVEL_INFO, "the configuration was read again");
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
    event_base_loopbreak(server->env.base);
}

static void on_expiry(evutil_socket_t ignored, short what, void *arg)
{
    struct server *server = arg;

    (void)ignored;
    (void)what;
    peers_tick(&server->peers);
}

static bool watch(struct server *server, struct status *status)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    static const struct timeval period = {EXPIRY_S, 0};

    for (int i = 0; i < SIGNALS; i++) {
        server->signals[i] = evsignal_new(server->env.base, numbers[i], on_signal, server);
        if (server->signals[i] == NULL || event_add(server->signals[i], NULL) != 0)
            return status_fail(status, OUTCOME_INTERNAL, "cannot watch signals");
    }
    server->expiry = event_new(server->env.base, -1, EV_PERSIST, on_expiry, server);
    if (server->expiry == NULL || event_add(server->expiry, &period) != 0)
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

static bool start(struct server *server, struct status *status)
{
    struct env *env = &server->env;

    env->base = event_base_new();
    if (env->base == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory at the start");
    if (!peers_start(&server->peers, env, status))
        return false;
    server->service014 = service014_new(env, &server->peers, status);
    if (server->service014 == NULL)
        return false;
    server->service004 = service004_new(env, &server->peers, status);
    if (server->service004 == NULL)
        return false;
    server->admin = admin_new(env, &server->peers, status);
    return server->admin != NULL && watch(server, status);
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
    for (size_t i = 0; i < config->links.count; i++)
        announce_link(config, &config->links.items[i], log);
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

static void stop(struct server *server)
{
    bool ran = server->admin != NULL;

    admin_free(server->admin);
    service014_free(server->service014);
    service004_free(server->service004);
    peers_free(&server->peers);
    for (int i = 0; i < SIGNALS; i++)
        free_event(server->signals[i]);
    free_event(server->expiry);
    if (server->env.base != NULL)
        event_base_free(server->env.base);
    libevent_global_shutdown();
    metrics_free(&server->metrics);
    tls_set_free(server->tls);
    if (server->provider != NULL)
        OSSL_PROVIDER_unload(server->provider);
    OSSL_LIB_CTX_free(server->env.libctx);
    if (ran)
        log_line(server->env.log, LOG_LEVEL_INFO, "ended");
    log_close(server->env.log);
    kme_config_free(server->config);
}

bool server_run(const char *config_path, struct status *status)
{
    struct server server;
    bool started, locked;

    memset(&server, 0, sizeof(server));
    locked = memory_lock();
    started = prepare(&server, config_path, status) && start(&server, status);
    if (started) {
        announce(&server);
        if (!locked)
            log_line(server.env.log, LOG_LEVEL_WARN,
                     "key memory is not locked and may be swapped: raise RLIMIT_MEMLOCK to "
                     "unlimited");
        event_base_dispatch(server.env.base);
    }
    stop(&server);
    return started;
}

bool server_check(const char *config_path, struct status *status)
{
    struct server server;
    bool good;

    memset(&server, 0, sizeof(server));
    good = prepare(&server, config_path, status);
    stop(&server);
    return good;
}
