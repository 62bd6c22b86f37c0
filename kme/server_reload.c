/* SPDX-License-Identifier: Apache-2.0 */
#include "base/deadline.h"
#include "kme/journal.h"
#include "kme/server_parts.h"
#include "kme/tls.h"

#define NS_PER_US INT64_C(1000)

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
    fresh->log = log_open(fresh->config->log_level, server_program, status);
    if (fresh->log == NULL)
        return false;
    fresh->tls = tls_set_new(&server->env, fresh->config, status);
    if (fresh->tls == NULL)
        return false;
    if (!kme_config_keep_fixed(fresh->config, server->config, server->env.log) ||
        !server_add_saes(server, fresh->config))
        return status_fail(status, OUTCOME_INTERNAL, "out of memory");
    /* Last, for it takes effect at once. */
    return journal_open(server->env.journal, fresh->config->audit_log, status);
}

void server_reload(struct server *server)
{
    struct status status = STATUS_INIT;
    struct fresh fresh = {NULL, NULL, NULL}, old = {server->config, server->env.log, server->tls};

    notify_say(&server->notify, "RELOADING=1\nMONOTONIC_USEC=%lld",
               (long long)(monotonic_ns() / NS_PER_US));
    if (!read_fresh(server, &fresh, &status)) {
        log_line(server->env.log, LOG_LEVEL_ERROR, "the old configuration stays: %s", status.text);
        server->metrics.reloads[RELOAD_REFUSED]++;
        server_note(server, JOURNAL_RELOAD_REFUSED, status.text);
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
    server_note(server, JOURNAL_RELOAD, NULL);
    misbehave_load(&server->misbehave, fresh.config->misbehave.items, fresh.config->misbehave.count,
                   fresh.log);
    log_line(fresh.log, LOG_LEVEL_INFO, "the configuration was read again");
    notify_say(&server->notify, "READY=1");
    server_tell_state(server);
}
