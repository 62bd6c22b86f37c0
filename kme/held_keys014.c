/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of a multicast whose initiator is told of them once the other key servers have them: a claim
 * that comes before a relayed key cannot be told from one for an ID that never was.
 */
#include "kme/audience014.h"
#include "kme/config.h"
#include "kme/held014.h"
#include "kme/link.h"

struct held_keys {
    struct held014 held;                /* first */
    struct etsi014_container container; /* owned */
    struct {
        const struct link *link;
        uint64_t ticket;
    } awaited[NAMES_MAX];
    size_t awaited_count;
};

static void forget(void *held)
{
    struct held_keys *waiting = held;

    etsi014_container_free(&waiting->container);
}

/* When the time is up the relayed keys are on their way, and will arrive over the next connection
 * if not over this. */
static void answer(void *held)
{
    struct held_keys *waiting = held;

    call014_answer_keys(&waiting->held.call, ROLE_INITIATOR, &waiting->container);
    held014_release(&waiting->held);
}

static bool all_told(const struct held_keys *waiting)
{
    for (size_t i = 0; i < waiting->awaited_count; i++)
        if (!link_has_told(waiting->awaited[i].link, waiting->awaited[i].ticket))
            return false;
    return true;
}

/* The claims at the first key server wait for the assignment. */
static bool is_relayed(const struct audience014 *audience)
{
    for (size_t i = 1; i < audience->count; i++)
        if (audience->peers[i] != audience->peers[0])
            return true;
    return false;
}

static void await(struct held_keys *waiting, const struct audience014 *audience)
{
    for (size_t i = 1; i < audience->count; i++) {
        const struct link *link = audience->peers[i]->link;

        if (audience->peers[i] == audience->peers[0])
            continue;
        waiting->awaited[waiting->awaited_count].link = link;
        waiting->awaited[waiting->awaited_count].ticket = link_ticket(link);
        waiting->awaited_count++;
    }
}

bool held_keys014(const struct call014 *call, const struct audience014 *audience,
                  struct etsi014_container *container)
{
    static const struct held014_kind kind = {sizeof(struct held_keys), answer, forget};
    struct held_keys *waiting;

    if (!is_relayed(audience))
        return false;
    waiting = held014_new(call, &kind, &call->service->held_keys,
                          call->service->env->config->limits.hold_ms);
    if (waiting == NULL)
        return false;
    await(waiting, audience);
    waiting->container = *container;
    container->count = 0;
    return true;
}

void held_keys014_told(void *arg)
{
    struct service014 *service = arg;
    struct held014 *held = TAILQ_FIRST(&service->held_keys), *next;

    for (; held != NULL; held = next) {
        next = TAILQ_NEXT(held, next);
        if (all_told((struct held_keys *)held))
            answer(held);
    }
}
