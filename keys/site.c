/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "keys/site_parts.h"

enum {
    /* One that kept a caller waiting is left out at once when there is another to ask. */
    FAILURES_ALONE = 2,
    FAILURES_AMONG_OTHERS = 1
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
    atomic_init(&site->asked_ns, 0);
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

void site_abandon_task(const struct site *site, struct member *member)
{
    if (member->task == NULL)
        return;
    site->ops->abandon_conversation(member->task->conversation);
    OPENSSL_free(member->task);
    member->task = NULL;
}

bool site_hold(const struct site *site, struct member *member)
{
    pid_t self = getpid(), holder = atomic_load(&member->holder);

    if (holder == self || !atomic_compare_exchange_strong(&member->holder, &holder, self))
        return false;
    /* What a thread of our parent's was in the middle of is in no state to be freed. */
    if (holder != 0)
        member->task = NULL;
    else if (member->task != NULL && member->task->owner != self)
        site_abandon_task(site, member);
    return true;
}

void site_release(struct member *member)
{
    atomic_store(&member->holder, 0);
}

void site_free(struct site *site)
{
    if (site == NULL)
        return;
    for (size_t i = 0; i < site->count; i++) {
        struct member *member = &site->members[i];

        if (member->state != NULL && site_hold(site, member))
            site_abandon_task(site, member);
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
void site_note(struct member *member, const struct status *outcome, bool has_waited, bool proves)
{
    switch (outcome->outcome) {
    case OUTCOME_TIMEOUT:
    case OUTCOME_KME:
        if (has_waited)
            note_failure(member, outcome);
        else if (outcome->outcome == OUTCOME_KME)
            breaker_good(member->breaker);
        break;
    case OUTCOME_OK:
        if (proves)
            breaker_good(member->breaker);
        else
            breaker_passed(member->breaker);
        break;
    case OUTCOME_PEER:
    case OUTCOME_EXHAUSTED:
        breaker_good(member->breaker);
        break;
    default:
        break;
    }
}

/* Once for each change: another key server may cover up that this one is no help. A single one's
 * failures are told by whoever needed it. */
void site_tell(const struct site *site, struct member *member, const struct status *outcome)
{
    if (outcome->outcome == OUTCOME_PEER)
        return;
    if (outcome->outcome == OUTCOME_OK) {
        if (atomic_exchange(&member->failing, false))
            log_line(site->log, LOG_LEVEL_WARN, "key server %s answers again", member->url);
    } else if (!atomic_exchange(&member->failing, true) && site->count > 1) {
        log_line(site->log, LOG_LEVEL_WARN, "key server %s is no help: %s", member->url,
                 outcome->text);
    }
}

bool site_has(const struct site *site, size_t member)
{
    return !breaker_is_open(site->members[member].breaker, monotonic_ns());
}

bool site_has_any(const struct site *site)
{
    for (size_t i = 0; i < site->count; i++)
        if (site_has(site, i))
            return true;
    return false;
}
