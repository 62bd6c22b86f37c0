/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/service004.h"

#include <unistd.h>

#include <openssl/ssl.h>

#include "kme/call004.h"
#include "kme/config.h"
#include "kme/listener.h"

static void on_accept(void *arg, int fd)
{
    struct service004 *service = arg;

    if (occupancy_is_full(&service->occupancy, service->env, "ETSI 004"))
        close(fd);
    else
        connection004_new(service, fd);
}

static bool set_up(struct service004 *service, struct status *status)
{
    const struct env *env = service->env;

    if (!kme_config_has_004(env->config))
        return true;
    service->listener = listener_new(env, &env->config->etsi004.listen, on_accept, service, status);
    return service->listener != NULL;
}

struct service004 *service004_new(const struct env *env, struct peers *peers, struct status *status)
{
    struct service004 *service = OPENSSL_zalloc(sizeof(*service));

    if (service == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for the ETSI 004 service");
        return NULL;
    }
    service->env = env;
    service->peers = peers;
    LIST_INIT(&service->connections);
    if (!set_up(service, status)) {
        service004_free(service);
        return NULL;
    }
    return service;
}

void service004_free(struct service004 *service)
{
    if (service == NULL)
        return;
    listener_free(service->listener);
    while (!LIST_EMPTY(&service->connections))
        connection004_free(LIST_FIRST(&service->connections));
    OPENSSL_free(service);
}

void service004_drain(struct service004 *service)
{
    listener_free(service->listener);
    service->listener = NULL;
}

bool service004_is_idle(const struct service004 *service)
{
    const struct connection004 *connection;

    for (connection = LIST_FIRST(&service->connections); connection != NULL;
         connection = LIST_NEXT(connection, next))
        if (connection->call.waiting || connection->call.delay == DELAY004_ON ||
            stream_backlog_bytes(connection->stream) > 0)
            return false;
    return true;
}
