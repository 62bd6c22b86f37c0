/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of a multicast whose initiator is told of them once the other key servers have them: a claim
 * that comes before a relayed key cannot be told from one for an ID that never was.
 */
#include <string.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "kme/audience014.h"
#include "kme/config.h"
#include "kme/link.h"

struct held_keys {
    struct call014 call;
    char caller[ETSI014_ID_MAX_CHARS + 1]; /* the configuration may change meanwhile */
    struct etsi014_container container;    /* owned */
    struct {
        const struct link *link;
        uint64_t ticket;
    } awaited[NAMES_MAX];
    size_t awaited_count;
    struct event *give_up;
    TAILQ_ENTRY(held_keys) next;
};

static void release(struct held_keys *held)
{
    TAILQ_REMOVE(&held->call.service->held_keys, held, next);
    event_free(held->give_up);
    etsi014_container_free(&held->container);
    OPENSSL_free(held);
}

static bool all_told(const struct held_keys *held)
{
    for (size_t i = 0; i < held->awaited_count; i++)
        if (!link_has_told(held->awaited[i].link, held->awaited[i].ticket))
            return false;
    return true;
}

static void answer(struct held_keys *held)
{
    call014_answer_keys(&held->call, ROLE_INITIATOR, &held->container);
    release(held);
}

/* The relayed keys are on their way, and will arrive over the next connection if not over this. */
static void on_give_up(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    answer(arg);
}

static void on_abort(void *arg)
{
    struct held_keys *held = arg;

    call014_aborted(&held->call);
    release(held);
}

static void await(struct held_keys *held, const struct audience014 *audience)
{
    for (size_t i = 1; i < audience->count; i++) {
        const struct link *link = audience->peers[i]->link;

        if (audience->peers[i] == audience->peers[0])
            continue; /* its claims wait for the assignment */
        held->awaited[held->awaited_count].link = link;
        held->awaited[held->awaited_count].ticket = link_ticket(link);
        held->awaited_count++;
    }
}

bool held_keys014(const struct call014 *call, const struct audience014 *audience,
                  struct etsi014_container *container)
{
    int64_t hold_ms = call->service->env->config->limits.hold_ms;
    struct timeval wait = {hold_ms / 1000, hold_ms % 1000 * 1000};
    struct held_keys *held = OPENSSL_zalloc(sizeof(*held));

    if (held == NULL)
        return false;
    await(held, audience);
    held->give_up =
        held->awaited_count == 0 ? NULL : evtimer_new(call->service->env->base, on_give_up, held);
    if (held->give_up == NULL) {
        OPENSSL_free(held);
        return false;
    }
    held->call = *call;
    held->call.hold = ANSWERED_AFTER_HOLD;
    memcpy(held->caller, call->caller, strlen(call->caller) + 1);
    held->call.caller = held->caller;
    held->container = *container;
    container->count = 0;
    TAILQ_INSERT_TAIL(&call->service->held_keys, held, next);
    event_add(held->give_up, &wait);
    http_exchange_on_abort(call->exchange, on_abort, held);
    return true;
}

void held_keys014_told(void *arg)
{
    struct service014 *service = arg;
    struct held_keys *held = TAILQ_FIRST(&service->held_keys), *next;

    for (; held != NULL; held = next) {
        next = TAILQ_NEXT(held, next);
        if (all_told(held))
            answer(held);
    }
}
