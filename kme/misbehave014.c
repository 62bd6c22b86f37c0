/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/misbehave014.h"

#include <ctype.h>
#include <string.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "kme/journal.h"
#include "kme/misbehave.h"

/* A call whose time has not come. */
struct delayed014 {
    struct call014 call;
    char caller[ETSI014_ID_MAX_CHARS + 1]; /* the configuration may change meanwhile */
    struct event *due;
};

static const struct misbehave_rule *now(const struct call014 *call, enum misbehave_kind kind)
{
    return misbehave_now(call->service->env->misbehave, kind, call->caller,
                         (enum misbehave_call)(MISBEHAVE_STATUS + call->route.method));
}

bool misbehave014_wants_slash(const struct call014 *call)
{
    return now(call, MISBEHAVE_TRAILING_SLASH) != NULL;
}

static bool refuses(const struct call014 *call)
{
    const struct misbehave_rule *rule = now(call, MISBEHAVE_ERROR);
    struct etsi014_error error;

    if (rule != NULL)
        etsi014_refuse(&error, (int)rule->code, "misbehaviour on command");
    else if (call->route.method == ETSI014_GET_KEY && now(call, MISBEHAVE_DEPLETION) != NULL)
        etsi014_refuse(&error, 503, "%s", call014_no_material);
    else
        return false;
    call014_refuse(call, &error);
    return true;
}

static void free_delayed(struct delayed014 *delayed)
{
    event_free(delayed->due);
    OPENSSL_free(delayed);
}

static void on_abort(void *arg)
{
    struct delayed014 *delayed = arg;

    call014_aborted(&delayed->call);
    free_delayed(delayed);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    struct delayed014 *delayed = arg;

    (void)fd;
    (void)what;
    http_exchange_on_abort(delayed->call.exchange, NULL, NULL);
    if (!refuses(&delayed->call))
        call014_run(&delayed->call);
    free_delayed(delayed);
}

static bool delays(const struct call014 *call)
{
    const struct misbehave_rule *rule = now(call, MISBEHAVE_DELAY);
    struct timeval wait;
    struct delayed014 *delayed;

    if (rule == NULL)
        return false;
    delayed = OPENSSL_zalloc(sizeof(*delayed));
    if (delayed == NULL)
        return false;
    wait = misbehave_delay(rule);
    delayed->call = *call;
    delayed->call.hold = ANSWERED_AFTER_HOLD;
    memcpy(delayed->caller, call->caller, strlen(call->caller) + 1);
    delayed->call.caller = delayed->caller;
    delayed->due = evtimer_new(call->service->env->base, on_due, delayed);
    if (delayed->due == NULL) {
        OPENSSL_free(delayed);
        return false;
    }
    event_add(delayed->due, &wait);
    http_exchange_on_abort(call->exchange, on_abort, delayed);
    return true;
}

bool misbehave014_takes(const struct call014 *call)
{
    return misbehave_any(call->service->env->misbehave) && (delays(call) || refuses(call));
}

void misbehave014_status(const struct call014 *call, struct etsi014_status *value)
{
    if (now(call, MISBEHAVE_DEPLETION) != NULL)
        value->stored_key_count = 0;
}

static void tell_flip(const struct call014 *call, const struct key_id *key_id)
{
    const struct journal_entry entry = {.event = JOURNAL_MISBEHAVE,
                                        .api = "014",
                                        .sae = call->caller,
                                        .peer = call->route.sae,
                                        .remote = http_exchange_remote(call->exchange),
                                        .key_id = key_id,
                                        .outcome = "flip"};
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(key_id, id);
    log_line(call->service->env->log, LOG_LEVEL_WARN,
             "MISBEHAVIOUR ON COMMAND: key %s reaches '%s' with one bit changed", id, call->caller);
    journal_note(call->service->env->journal, &entry);
}

static void flip_some(const struct call014 *call, struct etsi014_container *container)
{
    for (size_t i = 0; i < container->count; i++) {
        struct etsi014_key *key = &container->keys[i];

        if (now(call, MISBEHAVE_FLIP) == NULL)
            continue;
        key->key->bytes[key->key->size_bytes - 1] ^= 1;
        tell_flip(call, &key->id);
    }
}

static void reverse(struct etsi014_container *container)
{
    for (size_t i = 0; i < container->count / 2; i++) {
        struct etsi014_key *other = &container->keys[container->count - 1 - i];
        struct etsi014_key swapped = container->keys[i];

        container->keys[i] = *other;
        *other = swapped;
    }
}

void misbehave014_keys(const struct call014 *call, struct etsi014_container *container)
{
    if (!misbehave_any(call->service->env->misbehave))
        return;
    if (container->count > 0 && now(call, MISBEHAVE_FEWER_KEYS) != NULL)
        secret_free(container->keys[--container->count].key);
    flip_some(call, container);
    if (now(call, MISBEHAVE_UNORDERED) != NULL)
        reverse(container);
}

void misbehave014_error(const struct call014 *call, struct etsi014_error *error)
{
    if (!misbehave_any(call->service->env->misbehave))
        return;
    if (strcmp(error->message, etsi014_keys_not_found) == 0 &&
        now(call, MISBEHAVE_USED_404) != NULL)
        error->http_status = 404;
    else if (strcmp(error->message, call014_no_material) == 0 &&
             now(call, MISBEHAVE_EMPTY_400) != NULL)
        error->http_status = 400;
}

static void raise_ids(struct buf *body)
{
    static const char name[] = "\"key_ID\":\"";
    uint8_t *at = body->data, *end = body->data + body->length, *found;

    while ((found = memmem(at, (size_t)(end - at), name, strlen(name))) != NULL)
        for (at = found + strlen(name); at < end && *at != '"'; at++)
            *at = (uint8_t)toupper(*at);
}

void misbehave014_answer(const struct call014 *call, const struct http_answer *answer,
                         struct buf *body)
{
    struct http_oddity oddity = {false, false};

    if (misbehave_any(call->service->env->misbehave)) {
        if (answer->code == 200 && now(call, MISBEHAVE_UPPER_CASE_IDS) != NULL)
            raise_ids(body);
        oddity.chunked = now(call, MISBEHAVE_CHUNKED) != NULL;
        oddity.cut = now(call, MISBEHAVE_DROP) != NULL;
    }
    http_answer_oddly(call->exchange, answer, oddity);
}
