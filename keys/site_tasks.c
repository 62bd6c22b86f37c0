/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include <openssl/crypto.h>

#include "keys/site_parts.h"

/* A probe of which nothing was heard for so long begins anew: a connection that was lost on the way
 * would be tried again by TCP after longer and longer pauses only. */
enum { PROBE_MS = 1000 };

static void end_task(const struct site *site, struct member *member)
{
    site->ops->end(member->task->conversation);
    OPENSSL_free(member->task);
    member->task = NULL;
}

/* The member is held. A conversation that cannot be begun was not kept waiting for: the next caller
 * may find out more. */
static bool begin_task(const struct site *site, struct member *member, size_t number)
{
    struct task *task = OPENSSL_zalloc(sizeof(*task));
    struct status status = STATUS_INIT;

    if (task != NULL)
        task->conversation = site->ops->begin(member->state, number, &status);
    if (task == NULL || task->conversation == NULL) {
        OPENSSL_free(task);
        if (number == 0)
            breaker_probe_ended(member->breaker, true, monotonic_ns());
        return false;
    }
    task->number = number;
    task->owner = getpid();
    task->begun_ns = task->moved_ns = monotonic_ns();
    member->task = task;
    return true;
}

/* What is under way already goes on: it finds out as well as another probe would. */
bool site_begin_with(struct site *site, struct member *member, size_t number)
{
    bool begun;

    if (!site_hold(site, member))
        return false;
    begun = member->task == NULL && begin_task(site, member, number);
    site_release(member);
    return begun;
}

bool site_begin(struct site *site, size_t number)
{
    for (size_t i = 0; i < site->count; i++) {
        struct member *member = &site->members[i];

        switch (breaker_ask(member->breaker, monotonic_ns())) {
        case BREAKER_CLOSED:
            if (site_begin_with(site, member, number))
                return true;
            breaker_passed(member->breaker);
            return false;
        case BREAKER_PROBE:
            site_begin_with(site, member, 0);
            break;
        case BREAKER_OPEN:
            break;
        }
    }
    return false;
}

struct member_taker {
    const struct advance *advance;
    size_t member;
    int64_t asked_ns;
};

static void take_for(void *argument, const struct key_ref *ref, struct secret *key)
{
    const struct member_taker *taker = argument;

    taker->advance->take(taker->advance->argument, taker->member, ref, key, taker->asked_ns);
}

/* Whether nothing was heard for too long. It may have been said a moment ago and not be looked at
 * for long: only what is found now counts. */
static bool is_overdue(const struct site *site, struct task *task)
{
    int64_t limit_ms = task->number == 0 ? PROBE_MS : site->timeout_ms, now_ns = monotonic_ns();
    uint64_t progress = site->ops->progress(task->conversation);

    if (progress != task->progress) {
        task->progress = progress;
        task->moved_ns = now_ns;
    }
    return now_ns - task->moved_ns > limit_ms * SITE_NS_PER_MS;
}

/* A probe that was refused was answered. */
static void conclude(struct site *site, struct member *member, const struct advance *advance,
                     const struct status *failure, bool has_waited)
{
    size_t number = member->task->number;

    end_task(site, member);
    site_tell(site, member, failure);
    if (number == 0) {
        breaker_probe_ended(member->breaker, !has_waited, monotonic_ns());
        return;
    }
    site_note(member, failure, has_waited, true);
    if (advance != NULL)
        advance->over(advance->argument, number, failure);
}

/* The member is held and has a task. */
void site_advance_member(struct site *site, size_t place, const struct deadline *deadline,
                         const struct advance *advance)
{
    struct member *member = &site->members[place];
    struct member_taker argument = {advance, place, member->task->begun_ns};
    struct taker taker = {take_for, &argument};
    struct status failure = STATUS_INIT;

    if (site->ops->advance(member->state, member->task->conversation, deadline, &taker, &failure) !=
        CONVERSATION_OPEN)
        conclude(site, member, advance, &failure, false);
    else if (is_overdue(site, member->task)) {
        status_fail(&failure, OUTCOME_TIMEOUT, "no answer within %d ms to a request ahead of need",
                    member->task->number == 0 ? PROBE_MS : site->timeout_ms);
        endpoint_blame(member->endpoint, &failure);
        conclude(site, member, advance, &failure, true);
    }
}

bool site_advance(struct site *site, const struct deadline *deadline, const struct advance *advance)
{
    struct deadline now = deadline_in_ms(0);
    bool open = false;

    for (size_t i = 0; i < site->count; i++) {
        struct member *member = &site->members[i];

        if (!site_hold(site, member))
            continue;
        if (member->task != NULL)
            site_advance_member(site, i, member->task->number == 0 ? &now : deadline, advance);
        open = open || (member->task != NULL && member->task->number > 0);
        site_release(member);
    }
    return open;
}
