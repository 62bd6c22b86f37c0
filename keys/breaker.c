/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/breaker.h"

#include <string.h>

#include <openssl/crypto.h>

#include "keys/process_owner.h"
#include "keys/record.h"

static const int64_t NS_PER_MS = 1000000;

enum attempt {
    NO_ATTEMPT,
    PROBING,
    TRYING /* one caller's regular attempt, since what is known is stale */
};

/* All that decides, in one word, so that a change is one compare-and-exchange. All zero: as new.
 * Open while failures == threshold; then the next attempt may begin at at_ms. */
struct health {
    unsigned failures;
    unsigned pauses; /* since it was good last: the n-th is MIN * 2^(n-1) */
    enum attempt attempt;
    int64_t at_ms;
};

enum { FAILURES_BITS = 12, PAUSES_BITS = 4, ATTEMPT_BITS = 2, PAUSES_MAX = 3 };

_Static_assert(BREAKER_PROBE_MIN_MS << (PAUSES_MAX - 1) == BREAKER_PROBE_MAX_MS, "pauses double");
_Static_assert(BREAKER_THRESHOLD_MAX < 1 << FAILURES_BITS, "failures are counted up to it");

/* The last failure, for the sentence; the text is cut to what leaves room for the rest. */
enum { TEXT_BYTES = 384 };

struct failure {
    int64_t at_ns;
    char text[TEXT_BYTES];
};

enum { FAILURE_WORDS = sizeof(struct failure) / 8 };

_Static_assert(sizeof(struct failure) % 8 == 0, "a failure is whole words");

struct breaker {
    struct process_owner owner;
    unsigned threshold;
    _Atomic uint64_t health;
    _Atomic uint64_t failed; /* times since it was good */
    struct record record;
    _Atomic uint64_t last[FAILURE_WORDS];
};

static uint64_t bits_of(uint64_t *word, unsigned count)
{
    uint64_t bits = *word & ((UINT64_C(1) << count) - 1);

    *word >>= count;
    return bits;
}

static struct health unpack(uint64_t word)
{
    struct health health;

    health.failures = (unsigned)bits_of(&word, FAILURES_BITS);
    health.pauses = (unsigned)bits_of(&word, PAUSES_BITS);
    health.attempt = (enum attempt)bits_of(&word, ATTEMPT_BITS);
    health.at_ms = (int64_t)word;
    return health;
}

static uint64_t pack(struct health health)
{
    uint64_t word = (uint64_t)health.at_ms;

    word = word << ATTEMPT_BITS | (uint64_t)health.attempt;
    word = word << PAUSES_BITS | health.pauses;
    return word << FAILURES_BITS | health.failures;
}

static int64_t pause_ms(const struct health *health)
{
    return (int64_t)BREAKER_PROBE_MIN_MS << (health->pauses - 1);
}

/* Ends an attempt, or opens: the next one is due after a pause. */
static void pause_attempts(struct health *health, int64_t now_ns)
{
    if (health->pauses < PAUSES_MAX)
        health->pauses++;
    health->attempt = NO_ATTEMPT;
    health->at_ms = (now_ns + NS_PER_MS - 1) / NS_PER_MS + pause_ms(health);
}

static bool is_stale(const struct health *health, int64_t now_ms)
{
    int64_t ahead_ms = health->attempt == NO_ATTEMPT ? pause_ms(health) : BREAKER_LOST_MS;

    return now_ms - (health->at_ms - ahead_ms) >= BREAKER_STALE_MS;
}

/* What happened, and what follows from it: each changes *health or leaves it. */
enum event { ASKED, FAILED, PASSED, PROBE_GOOD, PROBE_BAD };

static enum breaker_answer on_asked(struct health *health, unsigned threshold, int64_t now_ns)
{
    int64_t now_ms = now_ns / NS_PER_MS;
    bool stale;

    if (health->failures < threshold)
        return BREAKER_CLOSED;
    if (now_ms < health->at_ms)
        return BREAKER_OPEN;
    stale = is_stale(health, now_ms);
    health->attempt = stale ? TRYING : PROBING;
    health->at_ms = now_ms + BREAKER_LOST_MS;
    return stale ? BREAKER_CLOSED : BREAKER_PROBE;
}

/* Callers that had begun before it opened fail late; that is no news, and ends no probe. */
static void on_failed(struct health *health, unsigned threshold, int64_t now_ns)
{
    if (health->failures < threshold) {
        health->failures++;
        if (health->failures == threshold)
            pause_attempts(health, now_ns);
    } else if (health->attempt == TRYING) {
        pause_attempts(health, now_ns);
    }
}

/* An attempt of this kind ended well enough for others to be let through. News of callers that had
 * begun before it opened end no attempt. */
static void half_close(struct health *health, unsigned threshold, enum attempt attempt)
{
    if (health->failures < threshold || health->attempt != attempt)
        return;
    health->failures = threshold - 1;
    health->attempt = NO_ATTEMPT;
}

static enum breaker_answer change(struct breaker *breaker, enum event event, int64_t now_ns)
{
    uint64_t seen = atomic_load(&breaker->health), next;
    enum breaker_answer answer = BREAKER_CLOSED;

    do {
        struct health health = unpack(seen);

        if (event == ASKED)
            answer = on_asked(&health, breaker->threshold, now_ns);
        else if (event == FAILED)
            on_failed(&health, breaker->threshold, now_ns);
        else if (event == PASSED)
            half_close(&health, breaker->threshold, TRYING);
        else if (event == PROBE_GOOD)
            half_close(&health, breaker->threshold, PROBING);
        else if (health.failures == breaker->threshold && health.attempt == PROBING)
            pause_attempts(&health, now_ns);
        next = pack(health);
    } while (next != seen && !atomic_compare_exchange_weak(&breaker->health, &seen, next));
    return answer;
}

static void reset(void *state)
{
    struct breaker *breaker = state;

    atomic_store(&breaker->health, 0);
    atomic_store(&breaker->failed, 0);
    record_forget(&breaker->record);
}

static bool own(struct breaker *breaker)
{
    return process_owner_take(&breaker->owner, reset, breaker);
}

struct breaker *breaker_new(int threshold)
{
    struct breaker *breaker = OPENSSL_zalloc(sizeof(*breaker));

    if (breaker == NULL)
        return NULL;
    process_owner_init(&breaker->owner);
    if (threshold < 1)
        threshold = 1;
    if (threshold > BREAKER_THRESHOLD_MAX)
        threshold = BREAKER_THRESHOLD_MAX;
    breaker->threshold = (unsigned)threshold;
    return breaker;
}

void breaker_free(struct breaker *breaker)
{
    OPENSSL_free(breaker);
}

enum breaker_answer breaker_ask(struct breaker *breaker, int64_t now_ns)
{
    return own(breaker) ? change(breaker, ASKED, now_ns) : BREAKER_CLOSED;
}

bool breaker_is_open(const struct breaker *breaker, int64_t now_ns)
{
    struct health health = unpack(atomic_load(&breaker->health));

    return process_owner_is_us(&breaker->owner) && health.failures >= breaker->threshold &&
           now_ns / NS_PER_MS < health.at_ms;
}

void breaker_good(struct breaker *breaker)
{
    if (!own(breaker) || atomic_load(&breaker->health) == 0)
        return;
    atomic_store(&breaker->failed, 0);
    atomic_store(&breaker->health, 0);
}

void breaker_failed(struct breaker *breaker, const struct status *failure, int64_t now_ns)
{
    struct failure last = {.at_ns = now_ns};
    uint64_t words[FAILURE_WORDS];
    size_t length = strnlen(failure->text, TEXT_BYTES - 1);

    if (!own(breaker))
        return;
    memcpy(last.text, failure->text, length);
    memcpy(words, &last, sizeof(words));
    (void)record_write(&breaker->record, breaker->last, words, FAILURE_WORDS);
    atomic_fetch_add(&breaker->failed, 1);
    (void)change(breaker, FAILED, now_ns);
}

void breaker_probe_ended(struct breaker *breaker, bool good, int64_t now_ns)
{
    if (own(breaker))
        (void)change(breaker, good ? PROBE_GOOD : PROBE_BAD, now_ns);
}

void breaker_passed(struct breaker *breaker)
{
    if (own(breaker))
        (void)change(breaker, PASSED, 0);
}

bool breaker_refuse(const struct breaker *breaker, int64_t now_ns, struct status *status)
{
    uint64_t words[FAILURE_WORDS];
    struct failure last;

    if (!process_owner_is_us(&breaker->owner) ||
        !record_read(&breaker->record, breaker->last, words, FAILURE_WORDS))
        return status_fail(status, OUTCOME_KME,
                           "it failed several times; not asked again before it answers a probe");
    memcpy(&last, words, sizeof(last));
    return status_fail(status, OUTCOME_KME,
                       "it failed %llu times, last %lld ms ago: %s; not asked again before it "
                       "answers a probe",
                       (unsigned long long)atomic_load(&breaker->failed),
                       (long long)((now_ns - last.at_ns) / NS_PER_MS), last.text);
}
