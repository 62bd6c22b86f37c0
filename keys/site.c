/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/site.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "keys/breaker.h"
#include "keys/kme_list.h"

enum {
    /* One that kept a caller waiting is left out at once when there is another to ask. */
    FAILURES_ALONE = 2,
    FAILURES_AMONG_OTHERS = 1,
    /* After that a probe begins anew: a connection that was lost on the way would be tried again
     * by TCP after longer and longer pauses only. */
    PROBE_MS = 1000
};

static const int64_t NS_PER_MS = 1000000;

/* A conversation under way. */
struct task {
    void *conversation;
    size_t number; /* of reservations; 0: a probe */
    pid_t owner;
    int64_t begun_ns;
};

struct member {
    const char *url;
    const struct endpoint *endpoint;
    void *state;
    struct breaker *breaker;
    atomic_bool failing; /* as the log was told */
    /* Who looks at `task`: a thread of this process, or 0. A process that was forked while
     * another thread looked takes over what its parent held. */
    _Atomic(pid_t) holder;
    struct task *task;
};

struct site {
    const struct source_ops *ops;
    const struct log *log;
    int timeout_ms;
    size_t count;
    struct member members[KME_LIST_MAX];
};

struct site *site_new(const struct settings *settings, const struct source_ops *ops,
                      const struct log *log)
{
    struct site *site = OPENSSL_zalloc(sizeof(*site));

    if (site == NULL)
        return NULL;
    site->ops = ops;
    site->log = log;
    site->timeout_ms = settings_timeout_ms(settings);
    site->count = settings_kme_count(settings);
    for (size_t i = 0; i < site->count; i++) {
        struct member *member = &site->members[i];

        atomic_init(&member->holder, 0);
        atomic_init(&member->failing, false);
        member->url = settings_kme_url(settings, i);
        member->endpoint = settings_kme_endpoint(settings, i);
        member->breaker = breaker_new(site->count == 1 ? FAILURES_ALONE : FAILURES_AMONG_OTHERS);
        member->state = ops->open(settings, i, log);
        if (member->breaker == NULL || member->state == NULL) {
            site_free(site);
            return NULL;
        }
    }
    return site;
}

void *site_state(const struct site *site, size_t member)
{
    return site->members[member].state;
}

const char *site_url(const struct site *site, size_t member)
{
    return site->members[member].url;
}

/* --- conversations -------------------------------------------------------------------------- */

static void abandon_task(const struct site *site, struct member *member)
{
    if (member->task == NULL)
        return;
    site->ops->abandon_conversation(member->task->conversation);
    OPENSSL_free(member->task);
    member->task = NULL;
}

/* Never waits: false when another thread is at it. */
static bool hold(const struct site *site, struct member *member)
{
    pid_t self = getpid(), holder = atomic_load(&member->holder);

    if (holder == self || !atomic_compare_exchange_strong(&member->holder, &holder, self))
        return false;
    /* What a thread of our parent's was in the middle of is in no state to be freed. */
    if (holder != 0)
        member->task = NULL;
    else if (member->task != NULL && member->task->owner != self)
        abandon_task(site, member);
    return true;
}

static void release(struct member *member)
{
    atomic_store(&member->holder, 0);
}

static void end_task(const struct site *site, struct member *member)
{
    site->ops->end(member->task->conversation);
    OPENSSL_free(member->task);
    member->task = NULL;
}

void site_free(struct site *site)
{
    if (site == NULL)
        return;
    for (size_t i = 0; i < site->count; i++) {
        struct member *member = &site->members[i];

        if (member->state != NULL && hold(site, member))
            abandon_task(site, member);
        if (member->state != NULL)
            site->ops->close(member->state);
        breaker_free(member->breaker);
    }
    OPENSSL_free(site);
}

/* The sentence without the key server's name, which stands before the breaker's own. */
static void bare_failure(const struct member *member, const struct status *failure,
                         struct status *bare)
{
    struct status named = STATUS_INIT;
    size_t length;

    status_fail(&named, failure->outcome, "%s", "");
    endpoint_blame(member->endpoint, &named);
    length = strlen(named.text);
    status_fail(bare, failure->outcome, "%s",
                failure->text + (strncmp(failure->text, named.text, length) == 0 ? length : 0));
}

static void note_failure(struct member *member, const struct status *failure)
{
    struct status bare = STATUS_INIT;

    bare_failure(member, failure, &bare);
    breaker_failed(member->breaker, &bare, monotonic_ns());
}

/* Only a key server that keeps its callers waiting is left out. Another one's refusal costs
 * nothing, and the next caller may be in luck. */
static void note(struct member *member, const struct status *outcome, bool has_waited, bool proves)
{
    switch (outcome->outcome) {
    case OUTCOME_TIMEOUT:
    case OUTCOME_KME:
        if (has_waited)
            note_failure(member, outcome);
        else
            breaker_good(member->breaker);
        break;
    case OUTCOME_OK:
        if (proves)
            breaker_good(member->breaker);
        else
            breaker_probe_ended(member->breaker, true, monotonic_ns());
        break;
    case OUTCOME_PEER:
    case OUTCOME_EXHAUSTED:
        breaker_good(member->breaker);
        break;
    default:
        break;
    }
}

/* Once for each change: another key server may cover up that this one is no help. */
static void tell(const struct site *site, struct member *member, const struct status *outcome)
{
    if (outcome->outcome == OUTCOME_PEER)
        return;
    if (outcome->outcome == OUTCOME_OK) {
        if (atomic_exchange(&member->failing, false))
            log_line(site->log, LOG_LEVEL_WARN, "key server %s answers again", member->url);
    } else if (!atomic_exchange(&member->failing, true)) {
        log_line(site->log, LOG_LEVEL_WARN, "key server %s is no help: %s", member->url,
                 outcome->text);
    }
}

/* The member is held. */
static bool begin_task(const struct site *site, struct member *member, size_t number)
{
    struct task *task = OPENSSL_zalloc(sizeof(*task));
    struct status status = STATUS_INIT;

    if (task != NULL)
        task->conversation = site->ops->begin(member->state, number, &status);
    if (task == NULL || task->conversation == NULL) {
        OPENSSL_free(task);
        if (number == 0)
            breaker_probe_ended(member->breaker, false, monotonic_ns());
        return false;
    }
    task->number = number;
    task->owner = getpid();
    task->begun_ns = monotonic_ns();
    member->task = task;
    return true;
}

static bool begin(struct site *site, struct member *member, size_t number)
{
    bool begun;

    if (!hold(site, member)) {
        if (number == 0)
            breaker_probe_ended(member->breaker, false, monotonic_ns());
        return false;
    }
    /* A probe takes the place of whatever hangs there. */
    if (number == 0 && member->task != NULL)
        end_task(site, member);
    begun = member->task == NULL && begin_task(site, member, number);
    release(member);
    return begun;
}

bool site_begin(struct site *site, size_t number)
{
    for (size_t i = 0; i < site->count; i++) {
        struct member *member = &site->members[i];

        switch (breaker_ask(member->breaker, monotonic_ns())) {
        case BREAKER_CLOSED:
            return begin(site, member, number);
        case BREAKER_PROBE:
            begin(site, member, 0);
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

static bool is_overdue(const struct site *site, const struct task *task)
{
    int64_t limit_ms = task->number == 0 ? PROBE_MS : site->timeout_ms;

    return monotonic_ns() - task->begun_ns > limit_ms * NS_PER_MS;
}

static void conclude(struct site *site, struct member *member, const struct advance *advance,
                     const struct status *failure)
{
    size_t number = member->task->number;

    end_task(site, member);
    tell(site, member, failure);
    if (number == 0) {
        breaker_probe_ended(member->breaker, failure->outcome == OUTCOME_OK, monotonic_ns());
        return;
    }
    note(member, failure, failure->outcome == OUTCOME_TIMEOUT, true);
    advance->over(advance->argument, number, failure);
}

/* The member is held and has a task. A probe is never waited for. */
static void advance_task(struct site *site, size_t place, const struct deadline *deadline,
                         const struct advance *advance)
{
    struct member *member = &site->members[place];
    struct deadline now = deadline_in_ms(0);
    struct member_taker argument = {advance, place, member->task->begun_ns};
    struct taker taker = {take_for, &argument};
    struct status failure = STATUS_INIT;

    if (site->ops->advance(member->state, member->task->conversation,
                           member->task->number == 0 ? &now : deadline, &taker,
                           &failure) != CONVERSATION_OPEN)
        conclude(site, member, advance, &failure);
    else if (is_overdue(site, member->task)) {
        status_fail(&failure, OUTCOME_TIMEOUT, "no answer within %d ms to a request ahead of need",
                    site->timeout_ms);
        endpoint_blame(member->endpoint, &failure);
        conclude(site, member, advance, &failure);
    }
}

bool site_advance(struct site *site, const struct deadline *deadline, const struct advance *advance)
{
    bool open = false;

    for (size_t i = 0; i < site->count; i++) {
        struct member *member = &site->members[i];

        if (!hold(site, member))
            continue;
        if (member->task != NULL)
            advance_task(site, i, deadline, advance);
        open = open || (member->task != NULL && member->task->number > 0);
        release(member);
    }
    return open;
}

/* --- questions ------------------------------------------------------------------------------ */

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
    struct status refusals = STATUS_INIT;

    for (size_t i = 0; i < site->count; i++)
        if (!breaker_is_open(site->members[i].breaker, monotonic_ns()))
            return true;
    for (size_t i = 0; i < site->count; i++)
        add_refusal(&site->members[i], &refusals);
    return status_fail(status, refusals.outcome, "%s", refusals.text);
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
            begin(site, member, 0);
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
static bool ask_member(struct site *site, struct member *member, const struct question *question,
                       const struct deadline *part, struct status *failure)
{
    int64_t part_ms = deadline_left_ms(part), most_ms = part_ms - part_ms / 4;
    bool ok = question->ask(site->ops, member->state, question->argument, part, failure);

    /* An answer may say "timeout" at once; and of two addresses of a name one may hang. */
    note(member, failure, deadline_left_ms(part) < most_ms, question->proves);
    if (!ok || question->proves)
        tell(site, member, failure);
    return ok;
}

bool site_ask(struct site *site, const struct question *question, const struct deadline *deadline,
              size_t *member, struct status *status)
{
    bool healthy[KME_LIST_MAX];
    struct status failures = STATUS_INIT;
    size_t left = find_healthy(site, healthy, &failures);

    for (size_t i = 0; i < site->count; i++) {
        struct status failure = STATUS_INIT;
        struct deadline part;

        if (!healthy[i])
            continue;
        /* An equal part of what is left: one that hangs leaves time for the others. */
        part = left == 1 ? *deadline : deadline_in_ms(deadline_left_ms(deadline) / (int)left);
        left--;
        if (ask_member(site, &site->members[i], question, &part, &failure)) {
            *member = i;
            return true;
        }
        if (is_ours(&failure))
            return status_fail(status, failure.outcome, "%s", failure.text);
        add_failure(&failures, &failure);
    }
    return status_fail(status, failures.outcome, "%s", failures.text);
}
