/* SPDX-License-Identifier: Apache-2.0 */
/* Key servers of a site that do what a test tells them, in place of those of a standard. */
#ifndef QKD_TESTS_UNIT_FAKE_OPS_H
#define QKD_TESTS_UNIT_FAKE_OPS_H

#include <poll.h>

#include <openssl/crypto.h>

#include "keys/source_ops.h"
#include "tests/unit/in_child.h"
#include "tests/unit/pem.h"

enum { FAKE_KMES = 3 };

/* How a key server answers a question, and how its conversations go on. */
enum manner {
    ANSWERS,
    REFUSES_PEER,
    REFUSES_EXHAUSTED,
    REFUSES,
    REFUSES_LATE,
    HANGS,
    ANSWERS_IN_STEPS, /* a conversation is heard of each time it is advanced, and answered the third
                       */
    MISCONFIGURED
};

struct fake_kme {
    enum manner manner;
    unsigned asked, begun, ended, abandoned, streams_closed;
    size_t wanted;     /* of the last conversation */
    int64_t budget_ms; /* that the last question had */
};

static struct fake_kme fakes[FAKE_KMES];
static uint8_t fake_next_id;

struct fake_conversation {
    struct fake_kme *kme;
    size_t number;
    unsigned steps;
};

static inline void *fake_open(const struct settings *settings, size_t place, const struct log *log)
{
    (void)settings;
    (void)log;
    return &fakes[place];
}

static inline void fake_close(void *state)
{
    (void)state;
}

/* A question that hangs ends with its deadline. */
static inline bool fake_answer(struct fake_kme *kme, const struct deadline *deadline,
                               struct status *status)
{
    kme->asked++;
    kme->budget_ms = deadline_left_ms(deadline);
    switch (kme->manner) {
    case ANSWERS:
    case ANSWERS_IN_STEPS:
        return true;
    case REFUSES_PEER:
        return status_fail(status, OUTCOME_PEER, "KME %d: unknown", (int)(kme - fakes));
    case REFUSES_EXHAUSTED:
        return status_fail(status, OUTCOME_EXHAUSTED, "KME %d: empty", (int)(kme - fakes));
    case REFUSES:
        return status_fail(status, OUTCOME_KME, "KME %d: no", (int)(kme - fakes));
    case REFUSES_LATE: /* as when one of two addresses hangs and the other is closed */
        poll(NULL, 0, deadline_left_ms(deadline) / 2);
        return status_fail(status, OUTCOME_KME, "KME %d: refused", (int)(kme - fakes));
    case MISCONFIGURED:
        return status_fail(status, OUTCOME_CONFIG, "cert: wrong");
    case HANGS:
        break;
    }
    while (!deadline_passed(deadline))
        poll(NULL, 0, deadline_left_ms(deadline));
    return status_fail(status, OUTCOME_TIMEOUT, "KME %d: silent", (int)(kme - fakes));
}

static inline bool fake_prepare(void *state, const struct deadline *deadline, struct status *status)
{
    return fake_answer(state, deadline, status);
}

static inline struct key_ref fake_ref(void)
{
    struct key_ref ref = {.kind = KEY_REF_ETSI014};

    ref.id.octets[0] = ++fake_next_id;
    return ref;
}

static inline bool fake_reserve(void *state, const struct deadline *deadline, struct key_ref *ref,
                                struct secret **key, struct status *status)
{
    if (!fake_answer(state, deadline, status))
        return false;
    *ref = fake_ref();
    *key = secret_new(SOURCE_KEY_BYTES);
    return true;
}

static inline void fake_abandon(void *state, const struct key_ref *ref)
{
    struct fake_kme *kme = state;

    (void)ref;
    kme->streams_closed++;
}

static inline bool fake_claim(void *state, const struct key_ref *ref,
                              const struct deadline *deadline, struct secret **key,
                              struct status *status)
{
    (void)ref;
    if (!fake_answer(state, deadline, status))
        return false;
    *key = secret_new(SOURCE_KEY_BYTES);
    return true;
}

static inline void *fake_begin(void *state, size_t number, struct status *status)
{
    struct fake_conversation *conversation = OPENSSL_zalloc(sizeof(*conversation));
    struct fake_kme *kme = state;

    (void)status;
    assert_non_null(conversation);
    conversation->kme = kme;
    conversation->number = number;
    kme->begun++;
    kme->wanted = number;
    return conversation;
}

static inline enum conversation_state fake_advance(void *state, void *argument,
                                                   const struct deadline *deadline,
                                                   const struct taker *taker, struct status *status)
{
    struct fake_conversation *conversation = argument;
    struct fake_kme *kme = state;

    assert_ptr_equal(conversation->kme, kme);
    if (kme->manner == HANGS) {
        while (!deadline_passed(deadline))
            poll(NULL, 0, deadline_left_ms(deadline));
        return CONVERSATION_OPEN;
    }
    if (kme->manner == ANSWERS_IN_STEPS && ++conversation->steps < 3)
        return CONVERSATION_OPEN;
    if (kme->manner != ANSWERS && kme->manner != ANSWERS_IN_STEPS) {
        struct deadline now = deadline_in_ms(0);

        fake_answer(kme, &now, status);
        kme->asked--;
        return CONVERSATION_FAILED;
    }
    for (size_t i = 0; i < conversation->number; i++) {
        struct key_ref ref = fake_ref();

        taker->take(taker->argument, &ref, secret_new(SOURCE_KEY_BYTES));
    }
    return CONVERSATION_DONE;
}

static inline uint64_t fake_progress(const void *argument)
{
    const struct fake_conversation *conversation = argument;

    return conversation->steps;
}

static inline void fake_end(void *argument)
{
    struct fake_conversation *conversation = argument;

    conversation->kme->ended++;
    OPENSSL_free(conversation);
}

static inline void fake_abandon_conversation(void *argument)
{
    struct fake_conversation *conversation = argument;

    conversation->kme->abandoned++;
    OPENSSL_free(conversation);
}

static const struct source_ops fake_ops = {
    .ref_kind = KEY_REF_ETSI014,
    .asks_again = false,
    .open = fake_open,
    .close = fake_close,
    .prepare = fake_prepare,
    .reserve = fake_reserve,
    .abandon = fake_abandon,
    .collect = NULL,
    .claim = fake_claim,
    .begin = fake_begin,
    .advance = fake_advance,
    .progress = fake_progress,
    .end = fake_end,
    .abandon_conversation = fake_abandon_conversation,
};

/* Settings of SAE alice with so many key servers. */
static inline struct settings *fake_settings(const struct temp *temp, size_t kmes,
                                             const char *timeout_ms, const char *pool,
                                             const char *max_age_s)
{
    static const char urls[] = "https://kme-0,https://kme-1,https://kme-2";
    char cert[TEMP_PATH_BYTES], key[TEMP_PATH_BYTES], kme[sizeof(urls)];
    const char *values[SETTING_COUNT] = {
        [SETTING_SAE] = "alice",
        [SETTING_PEER] = "bob",
        [SETTING_KME] = kme,
        [SETTING_CERT] = cert,
        [SETTING_KEY] = key,
        [SETTING_CA] = cert,
        [SETTING_TIMEOUT_MS] = timeout_ms,
        [SETTING_POOL] = pool,
        [SETTING_POOL_MAX_AGE_S] = max_age_s,
    };
    struct settings *settings;

    snprintf(kme, sizeof(kme), "%.*s", (int)(kmes * sizeof("https://kme-0") - 1), urls);
    temp_path(temp, "cert.pem", cert);
    temp_path(temp, "key.pem", key);
    settings = settings_new(values);
    assert_non_null(settings);
    assert_string_equal(settings_fault(settings)->text, "");
    memset(fakes, 0, sizeof(fakes));
    return settings;
}

#endif
