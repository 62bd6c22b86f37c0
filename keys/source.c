/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/source.h"

#include <poll.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "keys/refused_ids.h"
#include "keys/retry.h"
#include "keys/site.h"
#include "keys/stock.h"

static const int64_t NS_PER_MS = 1000000;

struct source {
    const struct source_ops *ops;
    const struct log *log;
    const struct settings *settings;
    struct site *site;
    struct stock *stock;
    struct guard *guard;
    struct refused_ids *refused;
};

enum reservation_state { RESERVED, COLLECTED };

struct reservation {
    struct source *source;
    struct key_ref ref;
    size_t member; /* the key server that it was made with */
    enum reservation_state state;
    pid_t owner;
    struct secret *key; /* NULL where collect() reads it */
};

static const struct source_ops *const ops_of_apis[] = {
    [ENDPOINT_ETSI014] = &source014_ops,
    [ENDPOINT_ETSI004] = &source004_ops,
};

static bool make_parts(struct source *source)
{
    source->site = site_new(source->settings, source->ops, source->log);
    if (source->site == NULL)
        return false;
    source->stock = stock_new(source->settings, source->ops, source->site, source->log);
    source->guard = guard_new(settings_number(source->settings, SETTING_MAX_KEYS_PER_SECOND),
                              settings_number(source->settings, SETTING_MAX_KEYS_BURST));
    source->refused = refused_ids_new();
    return source->stock != NULL && source->guard != NULL && source->refused != NULL;
}

struct source *source_new(const struct settings *settings, const struct log *log)
{
    struct source *source = OPENSSL_zalloc(sizeof(*source));

    if (source == NULL)
        return NULL;
    source->ops = ops_of_apis[settings_api(settings)];
    source->log = log;
    source->settings = settings;
    if (!make_parts(source)) {
        source_free(source);
        return NULL;
    }
    return source;
}

void source_free(struct source *source)
{
    if (source == NULL)
        return;
    stock_free(source->stock);
    site_free(source->site);
    guard_free(source->guard);
    refused_ids_free(source->refused);
    OPENSSL_free(source);
}

enum key_ref_kind source_ref_kind(const struct source *source)
{
    return source->ops->ref_kind;
}

bool source_turn(struct source *source, const struct key_ref *ref, const struct deadline *deadline,
                 struct status *status)
{
    enum guard_use use = ref == NULL ? GUARD_RESERVE : GUARD_CLAIM;
    int64_t most_ns = deadline_left_ms(deadline) * NS_PER_MS / 2, wait_ns;

    if (ref != NULL && refused_ids_has(source->refused, &ref->id, monotonic_ns()))
        return true;
    wait_ns = guard_turn(source->guard, use, monotonic_ns(), most_ns);

    if (wait_ns < 0)
        return status_fail(status, OUTCOME_LIMIT,
                           "%s max-keys-per-second = %d%s; the key "
                           "server was not asked",
                           use == GUARD_RESERVE ? "keys are reserved faster than"
                                                : "key IDs come faster than",
                           settings_number(source->settings, SETTING_MAX_KEYS_PER_SECOND),
                           use == GUARD_RESERVE ? ", or too many in a row were not used" : "");
    if (wait_ns > 0)
        poll(NULL, 0, (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS));
    return true;
}

bool source_is_open(struct source *source, struct status *status)
{
    return site_has_any(source->site) || stock_look(source->stock) ||
           site_is_open(source->site, status);
}

static bool ask_prepare(const struct source_ops *ops, void *state, void *argument,
                        const struct deadline *deadline, struct status *status)
{
    (void)argument;
    return ops->prepare(state, deadline, status);
}

bool source_prepare(struct source *source, enum guard_use use, const struct deadline *deadline,
                    struct status *status)
{
    struct question question = {.ask = ask_prepare};
    bool at_hand = stock_look(source->stock);
    size_t member;

    return (use == GUARD_RESERVE && at_hand) ||
           site_ask(source->site, &question, deadline, &member, status);
}

/* Each time it is asked again takes a turn, for which nobody waits. */
static bool may_ask_again(struct source *source, enum guard_use use)
{
    int64_t now_ns = monotonic_ns();

    return guard_may_retry(source->guard, now_ns) && guard_turn(source->guard, use, now_ns, 0) == 0;
}

/* Key servers that synchronise after they have answered the initiator do not know a fresh key ID
 * for a moment, and one with a slow link is empty for a moment. */
static bool ask_patiently(struct source *source, enum guard_use use, struct question *question,
                          const struct deadline *deadline, size_t *member, struct status *status)
{
    struct retry retry = retry_begin();
    unsigned again = 0;

    while (!site_ask(source->site, question, deadline, member, status)) {
        if (!source->ops->asks_again || !question->may_pass || !retry_has_time(&retry, deadline) ||
            !may_ask_again(source, use) || !retry_pause(&retry, deadline)) {
            if (again > 0)
                guard_retry_failed(source->guard, monotonic_ns());
            return false;
        }
        again++;
        question->may_pass = false;
        status_clear(status);
    }
    /* Asking again was worth it. */
    for (; again > 0; again--)
        guard_give_back(source->guard);
    return true;
}

static bool ask_reserve(const struct source_ops *ops, void *state, void *argument,
                        const struct deadline *deadline, struct status *status)
{
    struct reservation *made = argument;

    return ops->reserve(state, deadline, &made->ref, &made->key, status);
}

static bool reserve(struct source *source, const struct deadline *deadline,
                    struct reservation *made, struct status *status)
{
    struct question question = {.ask = ask_reserve, .argument = made, .proves = true};
    struct ahead_key at_hand;

    if (!stock_take(source->stock, deadline, &at_hand))
        return ask_patiently(source, GUARD_RESERVE, &question, deadline, &made->member, status);
    made->ref = at_hand.ref;
    made->key = at_hand.key;
    made->member = (size_t)at_hand.member;
    return true;
}

bool source_reserve(struct source *source, const struct deadline *deadline,
                    struct reservation **reservation, struct status *status)
{
    struct reservation *made = OPENSSL_zalloc(sizeof(*made));

    if (made == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a reservation");
    if (!reserve(source, deadline, made, status)) {
        OPENSSL_free(made);
        return false;
    }
    stock_refill(source->stock);
    made->source = source;
    made->state = RESERVED;
    made->owner = getpid();
    *reservation = made;
    return true;
}

const struct key_ref *reservation_ref(const struct reservation *reservation)
{
    return &reservation->ref;
}

void reservation_answered(struct reservation *reservation)
{
    guard_good(reservation->source->guard, GUARD_RESERVE);
}

/* What is asked for when a key is collected or claimed, and what came. */
struct wanted_key {
    const struct key_ref *ref;
    struct secret *key;
};

static bool ask_collect(const struct source_ops *ops, void *state, void *argument,
                        const struct deadline *deadline, struct status *status)
{
    struct wanted_key *collect = argument;

    return ops->collect(state, collect->ref, deadline, &collect->key, status);
}

/* Only the key server where the stream was opened has it. */
static bool read_key(struct reservation *reservation, const struct deadline *deadline,
                     struct secret **key, struct status *status)
{
    struct wanted_key collect = {&reservation->ref, NULL};
    struct question question = {.ask = ask_collect, .argument = &collect, .proves = true};

    if (!site_ask_one(reservation->source->site, reservation->member, &question, deadline, status))
        return false;
    *key = collect.key;
    return true;
}

bool reservation_collect(struct reservation *reservation, const struct deadline *deadline,
                         struct delivery *delivery, struct status *status)
{
    if (reservation->state == COLLECTED)
        return status_fail(status, OUTCOME_INPUT, "the key of a reservation is handed out once");
    if (reservation->owner != getpid())
        return status_fail(status, OUTCOME_INPUT,
                           "the key was reserved by the process that this one was forked from");
    reservation->state = COLLECTED;
    delivery->kme = site_url(reservation->source->site, reservation->member);
    if (reservation->key == NULL)
        return read_key(reservation, deadline, &delivery->key, status);
    delivery->key = reservation->key;
    reservation->key = NULL;
    return true;
}

static void give_up(struct reservation *reservation)
{
    struct source *source = reservation->source;
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(&reservation->ref.id, id);
    log_line(source->log, LOG_LEVEL_INFO, "key lost: reserved and never used, key_id=%s", id);
    guard_wasted(source->guard);
    if (source->ops->abandon != NULL)
        source->ops->abandon(site_state(source->site, reservation->member), &reservation->ref);
}

void reservation_free(struct reservation *reservation)
{
    if (reservation == NULL)
        return;
    if (reservation->state == RESERVED && reservation->owner == getpid())
        give_up(reservation);
    secret_free(reservation->key);
    OPENSSL_free(reservation);
}

static bool ask_claim(const struct source_ops *ops, void *state, void *argument,
                      const struct deadline *deadline, struct status *status)
{
    struct wanted_key *claim = argument;

    return ops->claim(state, claim->ref, deadline, &claim->key, status);
}

static bool refuse_again(const struct key_ref *ref, struct status *status)
{
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(&ref->id, id);
    return status_fail(status, OUTCOME_PEER,
                       "key ID %s was refused a moment ago and is not asked for again", id);
}

bool source_claim(struct source *source, const struct key_ref *ref, const struct deadline *deadline,
                  struct delivery *delivery, struct status *status)
{
    struct wanted_key claim = {ref, NULL};
    struct question question = {
        .ask = ask_claim, .argument = &claim, .proves = true, .of_stranger = true};
    size_t member;

    if (refused_ids_has(source->refused, &ref->id, monotonic_ns()))
        return refuse_again(ref, status);
    if (!ask_patiently(source, GUARD_CLAIM, &question, deadline, &member, status)) {
        if (status->outcome == OUTCOME_PEER)
            refused_ids_note(source->refused, &ref->id, monotonic_ns());
        return false;
    }
    guard_good(source->guard, GUARD_CLAIM);
    delivery->key = claim.key;
    delivery->kme = site_url(source->site, member);
    return true;
}
