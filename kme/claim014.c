/* SPDX-License-Identifier: Apache-2.0 */
/* Get key with key IDs (clause 5.4): the responder's side. */
#include <string.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "base/deadline.h"
#include "kme/config.h"
#include "kme/held014.h"
#include "kme/store.h"

enum {
    ID_TEXT_ROOM = 128,
    DISK_MS = 5000 /* a key at rest is waited for, at the least */
};

struct claim {
    size_t count;
    struct key_id ids[ETSI014_KEYS_MAX];
};

/* A claim that waits for an assignment, or for the disk. */
struct held_claim {
    struct held014 held; /* first */
    struct claim claim;
    struct key_id awaited;
};

static bool read_query(const struct call014 *call, struct claim *claim, struct etsi014_error *error)
{
    char text[ID_TEXT_ROOM];

    switch (query_find(call->route.query, "key_ID", text, sizeof(text))) {
    case QUERY_ABSENT:
        return etsi014_refuse(error, 400, "key_ID is missing");
    case QUERY_REPEATED:
        return etsi014_refuse(error, 400, "key_ID is there more than once");
    case QUERY_FOUND:
        if (key_id_parse(text, strlen(text), &claim->ids[0])) {
            claim->count = 1;
            return true;
        }
        break;
    case QUERY_BAD:
        break;
    }
    return etsi014_refuse(error, 400, "key_ID is not a UUID");
}

static bool read_claim(const struct call014 *call, struct claim *claim, struct etsi014_error *error)
{
    const struct http_request *request = http_exchange_request(call->exchange);
    size_t most = (size_t)call->service->env->config->limits.max_keys_per_request;

    if (strcmp(request->method, "GET") == 0)
        return read_query(call, claim, error);
    return etsi014_key_ids_parse(request->body.data, request->body.length, claim->ids, most,
                                 &claim->count, error);
}

/* A key is in the store of the link that its initiator is behind (NULL: behind none). Nobody is
 * told that a key of others is unknown when it is known, whichever link it is on. */
static enum claim_state look_at(const struct call014 *call, const struct peer *peer,
                                const struct key_id *id, int64_t now_ns)
{
    const struct peers *peers = call->service->peers;
    enum claim_state state = CLAIM_UNKNOWN;

    if (peer != NULL)
        state = store_look(peer->store, id, call->caller, call->route.sae, now_ns);
    for (size_t i = 0; state == CLAIM_UNKNOWN && i < peers->count; i++)
        if (store_look(peers->items[i].store, id, call->caller, call->route.sae, now_ns) ==
            CLAIM_UNAUTHORISED)
            state = CLAIM_UNAUTHORISED;
    return state;
}

/* The batch is as good as its worst ID: an unauthorised one hides what the others are. */
static enum claim_state look(const struct call014 *call, const struct claim *claim,
                             struct key_id *awaited)
{
    static const int badness[] = {
        [CLAIM_READY] = 0,   [CLAIM_OPENING] = 1,      [CLAIM_EXPECTED] = 2,
        [CLAIM_UNKNOWN] = 3, [CLAIM_UNAUTHORISED] = 4,
    };
    const struct peer *peer = peers_of_sae(call->service->peers, call->route.sae);
    int64_t now_ns = monotonic_ns();
    enum claim_state worst = CLAIM_READY;

    for (size_t i = 0; i < claim->count; i++) {
        enum claim_state state = look_at(call, peer, &claim->ids[i], now_ns);

        if (state == CLAIM_OPENING)
            store_wake(peer->store, &claim->ids[i]);
        if (badness[state] > badness[worst]) {
            worst = state;
            *awaited = claim->ids[i];
        }
    }
    return worst;
}

/* False when out of memory: what was taken out until then is lost. */
static bool take_keys(struct store *store, const struct call014 *call, const struct claim *claim,
                      struct etsi014_container *container)
{
    for (; container->count < claim->count; container->count++) {
        struct etsi014_key *key = &container->keys[container->count];

        key->id = claim->ids[container->count];
        key->key = store_claim(store, &key->id, call->caller);
        if (key->key == NULL)
            return false;
    }
    return true;
}

static void deliver(const struct call014 *call, const struct claim *claim)
{
    struct store *store = peers_of_sae(call->service->peers, call->route.sae)->store;
    struct etsi014_container container;
    struct etsi014_error error;

    memset(&container, 0, sizeof(container));
    if (take_keys(store, call, claim, &container)) {
        call014_answer_keys(call, ROLE_RESPONDER, &container);
    } else {
        etsi014_refuse(&error, 503, "out of memory for a key");
        call014_refuse(call, &error);
    }
    etsi014_container_free(&container);
}

static void refuse(const struct call014 *call, enum claim_state state)
{
    struct etsi014_error error;

    if (state == CLAIM_UNAUTHORISED)
        etsi014_refuse(&error, 401, "the caller is not the slave SAE of a key");
    else if (state == CLAIM_OPENING)
        etsi014_refuse(&error, 503, "the store that a key is in does not answer");
    else
        etsi014_refuse(&error, 400, "%s", etsi014_keys_not_found);
    call014_refuse(call, &error);
}

static bool is_worth_waiting(enum claim_state state)
{
    return state == CLAIM_EXPECTED || state == CLAIM_OPENING;
}

/* Answers, unless an assignment, or the disk, is still awaited and there is time. */
static void reconsider(struct held_claim *waiting, bool time_is_up)
{
    const struct call014 *call = &waiting->held.call;
    enum claim_state state = look(call, &waiting->claim, &waiting->awaited);

    if (is_worth_waiting(state) && !time_is_up)
        return;
    if (state == CLAIM_READY)
        deliver(call, &waiting->claim);
    else
        refuse(call, state);
    held014_release(&waiting->held);
}

static void time_is_up(void *held)
{
    reconsider(held, true);
}

static bool hold(const struct call014 *call, const struct claim *claim,
                 const struct key_id *awaited, enum claim_state state)
{
    static const struct held014_kind kind = {sizeof(struct held_claim), time_is_up, NULL};
    int64_t configured_ms = call->service->env->config->limits.hold_ms;
    int64_t hold_ms = state == CLAIM_OPENING && configured_ms < DISK_MS ? DISK_MS : configured_ms;
    struct held_claim *waiting = held014_new(call, &kind, &call->service->held_claims, hold_ms);

    if (waiting == NULL)
        return false;
    waiting->claim = *claim;
    waiting->awaited = *awaited;
    return true;
}

void claim014(const struct call014 *call)
{
    struct claim claim;
    struct key_id awaited;
    struct etsi014_error error;
    enum claim_state state;

    if (!read_claim(call, &claim, &error)) {
        call014_refuse(call, &error);
        return;
    }
    state = look(call, &claim, &awaited);
    if (state == CLAIM_READY)
        deliver(call, &claim);
    else if (!is_worth_waiting(state) || !hold(call, &claim, &awaited, state))
        refuse(call, state);
}

void claim014_assigned(void *arg, const struct key_id *key_id)
{
    struct service014 *service = arg;
    struct held014 *held = TAILQ_FIRST(&service->held_claims), *next;

    for (; held != NULL; held = next) {
        struct held_claim *waiting = (struct held_claim *)held;

        next = TAILQ_NEXT(held, next);
        if (key_id_equal(&waiting->awaited, key_id))
            reconsider(waiting, false);
    }
}
