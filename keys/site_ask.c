/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/site_parts.h"

/* Who comes after a pause like this waits for a probe a little: the next one is not near. */
enum { RARE_MS = 1000, RARE_WAIT_MS = 100 };

/* What the key servers said, of which each is named in its own sentence. */
static void add_failure(struct status *all, const struct status *one)
{
    struct status before = *all;

    if (before.outcome == OUTCOME_OK) {
        *all = *one;
        return;
    }
    status_clear(all);
    status_fail(all, before.outcome != OUTCOME_PEER ? before.outcome : one->outcome, "%s; %s",
                before.text, one->text);
}

static void add_refusal(const struct member *member, struct status *all)
{
    struct status refusal = STATUS_INIT;

    breaker_refuse(member->breaker, monotonic_ns(), &refusal);
    endpoint_blame(member->endpoint, &refusal);
    add_failure(all, &refusal);
}

bool site_is_open(const struct site *site, struct status *status)
{
    if (site_has_any(site))
        return true;
    for (size_t i = 0; i < site->count; i++)
        add_refusal(&site->members[i], status);
    return false;
}

/* Which key servers may be asked; the others' reasons go into *status. A probe begins where it is
 * time for one. */
static size_t find_healthy(struct site *site, bool healthy[static KME_LIST_MAX],
                           struct status *status)
{
    size_t count = 0;

    for (size_t i = 0; i < site->count; i++) {
        struct member *member = &site->members[i];
        enum breaker_answer answer = breaker_ask(member->breaker, monotonic_ns());

        healthy[i] = answer == BREAKER_CLOSED;
        count += healthy[i];
        if (answer == BREAKER_PROBE)
            site_begin_with(site, member, 0);
        if (!healthy[i])
            add_refusal(member, status);
    }
    return count;
}

/* Another key server cannot help against these. */
static bool is_ours(const struct status *failure)
{
    return failure->outcome == OUTCOME_CONFIG || failure->outcome == OUTCOME_INTERNAL ||
           failure->outcome == OUTCOME_INPUT;
}

/* Asks one key server within its part of the time, and notes how that went. */
static bool ask_member(struct site *site, struct member *member, struct question *question,
                       const struct deadline *part, struct status *failure)
{
    int64_t part_ms = deadline_left_ms(part), most_ms = part_ms - part_ms / 4;
    bool ok = question->ask(site->ops, member->state, question->argument, part, failure), waited;

    /* An answer may say "timeout" at once; and of two addresses of a name one may hang. */
    waited = deadline_left_ms(part) < most_ms &&
             (failure->outcome == OUTCOME_TIMEOUT || !question->of_stranger);
    site_note(member, failure, waited, question->proves);
    question->may_pass = question->may_pass || failure->outcome == OUTCOME_PEER ||
                         failure->outcome == OUTCOME_EXHAUSTED;
    if (!ok || question->proves)
        site_tell(site, member, failure);
    return ok;
}

bool site_ask_one(struct site *site, size_t place, struct question *question,
                  const struct deadline *deadline, struct status *status)
{
    struct member *member = &site->members[place];

    if (site_has(site, place))
        return ask_member(site, member, question, deadline, status);
    add_refusal(member, status);
    return false;
}

/* Waits a little for the probes under way. */
static void wait_for_probes(struct site *site, const struct deadline *deadline)
{
    int64_t quarter_ms = deadline_left_ms(deadline) / 4;
    struct deadline wait = deadline_in_ms(quarter_ms < RARE_WAIT_MS ? quarter_ms : RARE_WAIT_MS);

    for (size_t i = 0; i < site->count; i++) {
        struct member *member = &site->members[i];

        if (!site_hold(site, member))
            continue;
        if (member->task != NULL && member->task->number == 0)
            site_advance_member(site, i, &wait, NULL);
        site_release(member);
    }
}

/* As find_healthy; who finds none, and comes rarely, looks once more after a little while. */
static size_t find_someone(struct site *site, bool healthy[static KME_LIST_MAX],
                           const struct deadline *deadline, struct status *status)
{
    int64_t now_ns = monotonic_ns(), before_ns = atomic_exchange(&site->asked_ns, now_ns);
    size_t count = find_healthy(site, healthy, status);

    if (count > 0 || now_ns - before_ns < RARE_MS * SITE_NS_PER_MS)
        return count;
    wait_for_probes(site, deadline);
    status_clear(status);
    return find_healthy(site, healthy, status);
}

/* Nothing was learnt of those that were not asked; a right to try, which one may have got, is given
 * back. */
static void give_back_rights(struct site *site, const bool healthy[static KME_LIST_MAX],
                             size_t first)
{
    for (size_t i = first; i < site->count; i++)
        if (healthy[i])
            breaker_passed(site->members[i].breaker);
}

bool site_ask(struct site *site, struct question *question, const struct deadline *deadline,
              size_t *member, struct status *status)
{
    bool healthy[KME_LIST_MAX];
    struct status failures = STATUS_INIT;
    size_t left = find_someone(site, healthy, deadline, &failures);

    for (size_t i = 0; i < site->count; i++) {
        struct status failure = STATUS_INIT;
        struct deadline part;

        if (!healthy[i])
            continue;
        /* An equal part of what is left: one that hangs leaves time for the others. */
        part = left == 1 ? *deadline : deadline_in_ms(deadline_left_ms(deadline) / (int)left);
        left--;
        *member = i;
        if (ask_member(site, &site->members[i], question, &part, &failure)) {
            give_back_rights(site, healthy, i + 1);
            return true;
        }
        if (is_ours(&failure)) {
            give_back_rights(site, healthy, i + 1);
            return status_fail(status, failure.outcome, "%s", failure.text);
        }
        add_failure(&failures, &failure);
    }
    return status_fail(status, failures.outcome, "%s", failures.text);
}
