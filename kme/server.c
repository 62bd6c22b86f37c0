/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/server.h"

#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#include "kme/admin.h"
#include "kme/journal.h"
#include "kme/memory_lock.h"
#include "kme/privileges.h"
#include "kme/seal.h"
#include "kme/server_parts.h"
#include "kme/shelf.h"
#include "kme/tls.h"

const char server_program[] = "qkd-kme";

bool server_add_saes(struct server *server, const struct kme_config *config)
{
    for (size_t i = 0; i < config->saes.count; i++)
        if (!metrics_add_sae(&server->metrics, config->saes.items[i].id))
            return false;
    return true;
}

void server_note(const struct server *server, enum journal_event event, const char *outcome)
{
    const struct journal_entry entry = {.event = event, .outcome = outcome};

    journal_note(server->env.journal, &entry);
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
    server->env.log = log_open(server->config->log_level, server_program, status);
    if (server->env.log == NULL)
        return false;
    server->env.libctx = OSSL_LIB_CTX_new();
    if (server->env.libctx != NULL)
        server->provider = OSSL_PROVIDER_load(server->env.libctx, "default");
    if (server->provider == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "OpenSSL's default provider does not load");
    if (!server_add_saes(server, server->config))
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
    return server->admin != NULL && server_watch(server, status);
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
    server_unwatch(server);
    if (ran)
        server_note(server, JOURNAL_STOP, NULL);
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
        server_note(&server, JOURNAL_START, NULL);
        misbehave_load(&server.misbehave, server.config->misbehave.items,
                       server.config->misbehave.count, server.env.log);
        notify_say(&server.notify, "READY=1");
        server_tell_state(&server);
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
