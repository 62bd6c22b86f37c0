/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/held014.h"

#include <string.h>

#include <event2/event.h>
#include <openssl/crypto.h>

void held014_release(struct held014 *held)
{
    TAILQ_REMOVE(held->list, held, next);
    event_free(held->give_up);
    if (held->kind->forget != NULL)
        held->kind->forget(held);
    OPENSSL_free(held);
}

static void on_give_up(evutil_socket_t fd, short what, void *arg)
{
    const struct held014 *held = arg;

    (void)fd;
    (void)what;
    held->kind->time_is_up(arg);
}

static void on_abort(void *arg)
{
    struct held014 *held = arg;

    call014_aborted(&held->call);
    held014_release(held);
}

void *held014_new(const struct call014 *call, const struct held014_kind *kind,
                  struct held014_list *list, int64_t hold_ms)
{
    struct timeval wait = {hold_ms / 1000, hold_ms % 1000 * 1000};
    struct held014 *held = OPENSSL_zalloc(kind->size_bytes);

    if (held == NULL)
        return NULL;
    held->give_up = evtimer_new(call->service->env->base, on_give_up, held);
    if (held->give_up == NULL) {
        OPENSSL_free(held);
        return NULL;
    }
    held->kind = kind;
    held->list = list;
    held->call = *call;
    held->call.hold = ANSWERED_AFTER_HOLD;
    memcpy(held->caller, call->caller, strlen(call->caller) + 1);
    held->call.caller = held->caller;
    TAILQ_INSERT_TAIL(list, held, next);
    event_add(held->give_up, &wait);
    http_exchange_on_abort(call->exchange, on_abort, held);
    return held;
}
