/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests for keys that are there, but at rest: more of them than the window has open. They wait
 * until enough is open.
 */
#include <string.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "kme/call014.h"
#include "kme/config.h"

struct held_request {
    struct call014 call;
    char caller[ETSI014_ID_MAX_CHARS + 1]; /* the configuration may change meanwhile */
    struct etsi014_key_request asked;
    struct event *give_up;
    TAILQ_ENTRY(held_request) next;
};

static void release(struct held_request *held)
{
    TAILQ_REMOVE(&held->call.service->held_requests, held, next);
    event_free(held->give_up);
    OPENSSL_free(held);
}

static void on_give_up(evutil_socket_t fd, short what, void *arg)
{
    struct held_request *held = arg;

    (void)fd;
    (void)what;
    reserve014_asked(&held->call, &held->asked, false);
    release(held);
}

static void on_abort(void *arg)
{
    struct held_request *held = arg;

    call014_aborted(&held->call);
    release(held);
}

bool held_request014(const struct call014 *call, const struct etsi014_key_request *asked)
{
    int64_t hold_ms = call->service->env->config->limits.hold_ms;
    struct timeval wait = {hold_ms / 1000, hold_ms % 1000 * 1000};
    struct held_request *held = OPENSSL_zalloc(sizeof(*held));

    if (held == NULL)
        return false;
    held->give_up = evtimer_new(call->service->env->base, on_give_up, held);
    if (held->give_up == NULL) {
        OPENSSL_free(held);
        return false;
    }
    held->call = *call;
    held->call.hold = ANSWERED_AFTER_HOLD;
    memcpy(held->caller, call->caller, strlen(call->caller) + 1);
    held->call.caller = held->caller;
    held->asked = *asked;
    TAILQ_INSERT_TAIL(&call->service->held_requests, held, next);
    event_add(held->give_up, &wait);
    http_exchange_on_abort(call->exchange, on_abort, held);
    return true;
}

void held_request014_stocked(void *arg)
{
    struct service014 *service = arg;
    struct held_request *held = TAILQ_FIRST(&service->held_requests), *next;

    for (; held != NULL; held = next) {
        next = TAILQ_NEXT(held, next);
        if (reserve014_asked(&held->call, &held->asked, true))
            release(held);
    }
}
