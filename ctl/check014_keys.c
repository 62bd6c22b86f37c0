/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include "ctl/check014.h"

enum { WAIT_MS = 50 };

void keys014_free(struct keys014 *keys)
{
    etsi014_container_free(&keys->container);
    answer_free(&keys->answer);
}

bool seen014(struct check_run *run, struct check_report *report,
             const struct etsi014_container *container)
{
    struct check014 *state = check014_of(run);

    for (size_t i = 0; i < container->count; i++) {
        const struct key_id *id = &container->keys[i].id;
        char text[KEY_ID_TEXT_CHARS + 1];

        key_id_format(id, text);
        for (size_t j = 0; j < state->seen_count; j++)
            if (key_id_equal(id, &state->seen[j]))
                return check_fail(report, "expected a new key, came key_ID %s a second time", text);
        if (state->seen_count < CHECK014_SEEN_MAX)
            state->seen[state->seen_count++] = *id;
    }
    return true;
}

static void mark_claimed(struct check014 *state, const struct etsi014_container *container)
{
    for (size_t i = 0; i < container->count; i++)
        for (size_t j = 0; j < state->seen_count; j++)
            if (key_id_equal(&container->keys[i].id, &state->seen[j]))
                state->claimed[j] = true;
}

static bool judge_keys(struct check_report *report, const char *what, size_t number,
                       int64_t size_bits, const struct etsi014_container *container)
{
    if (container->count < number)
        check_deviation(report, 16);
    if (container->count != number)
        return check_fail(report, "%s: expected %zu key%s, came %zu", what, number,
                          number == 1 ? "" : "s", container->count);
    for (size_t i = 0; size_bits != 0 && i < number; i++)
        if ((int64_t)container->keys[i].key->size_bytes * 8 != size_bits)
            return check_fail(report, "%s: expected keys of %lld bits, came one of %zu", what,
                              (long long)size_bits, container->keys[i].key->size_bytes * 8);
    return true;
}

/* Whether the same question may be answered otherwise in a moment. */
static bool worth_waiting(const struct call014 *call, const struct answer *answer)
{
    bool claim = strcmp(call->method, "dec_keys") == 0;
    char message[ETSI014_MESSAGE_MAX_CHARS + 1];
    enum etsi014_refusal refusal;

    if (answer->code == 200)
        return false;
    refusal = etsi014_refusal_classify(claim ? ETSI014_GET_KEY_IDS : ETSI014_GET_KEY, answer->code,
                                       answer->body.data, answer->body.length, message);
    return refusal == (claim ? ETSI014_REFUSED_NOT_FOUND : ETSI014_REFUSED_EXHAUSTED);
}

static bool call_patiently(struct check_run *run, struct check_report *report,
                           const struct call014 *call, struct answer *answer)
{
    struct deadline deadline = deadline_in_ms(run->choices.timeout_ms);
    struct timespec pause = {.tv_nsec = WAIT_MS * 1000000L};

    for (;;) {
        if (!call014(run, report, call, answer))
            return false;
        if (!worth_waiting(call, answer) || deadline_passed(&deadline))
            return true;
        answer_free(answer);
        nanosleep(&pause, NULL);
    }
}

bool keys014_get(struct check_run *run, struct check_report *report, const char *what,
                 const struct call014 *call, size_t number, int64_t size_bits, struct keys014 *keys)
{
    struct status status = STATUS_INIT;

    keys->container.count = 0;
    if (!call_patiently(run, report, call, &keys->answer) ||
        !expect_code(report, what, &keys->answer, 200))
        return false;
    if (!etsi014_container_parse((char *)keys->answer.body.data, keys->answer.body.length,
                                 &keys->container, &status))
        return check_fail(report, "%s: expected a Key container, but %s", what, status.text);
    if (strcmp(call->method, "dec_keys") == 0)
        mark_claimed(check014_of(run), &keys->container);
    else if (!seen014(run, report, &keys->container))
        return false;
    return judge_keys(report, what, number, size_bits, &keys->container);
}

int64_t size014(const struct check_run *run, int64_t wish_bits)
{
    const struct etsi014_status *limits = &check014_of(run)->limits;

    if (limits->max_key_size_bits > 0 && wish_bits > limits->max_key_size_bits)
        wish_bits = limits->max_key_size_bits / 8 * 8;
    if (wish_bits < limits->min_key_size_bits)
        wish_bits = (limits->min_key_size_bits + 7) / 8 * 8;
    return wish_bits;
}

size_t number014(const struct check_run *run, size_t wish)
{
    int64_t max = check014_of(run)->limits.max_key_per_request;

    return max > 0 && wish > (size_t)max ? (size_t)max : wish;
}

bool reserve014(struct check_run *run, struct check_report *report, const char *peer, size_t number,
                int64_t size_bits, struct keys014 *keys)
{
    struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys", .peer = peer};
    struct buf body;
    bool ok;

    buf_init(&body, 128);
    etsi014_key_request_put(&body, (int64_t)number, size_bits);
    buf_put_u8(&body, '\0');
    call.body = (const char *)body.data;
    ok = keys014_get(run, report, "enc_keys", &call, number, 0, keys);
    buf_free(&body);
    return ok;
}

struct ids014 ids014_of(const struct keys014 *keys)
{
    struct ids014 ids = {.count = keys->container.count};

    for (size_t i = 0; i < ids.count; i++)
        ids.ids[i] = keys->container.keys[i].id;
    return ids;
}

void ids014_add_unknown(struct ids014 *ids)
{
    uint8_t *octets = ids->ids[ids->count++].octets;

    RAND_bytes(octets, KEY_ID_BYTES);
    octets[6] = (octets[6] & 0x0f) | 0x40;
    octets[8] = (octets[8] & 0x3f) | 0x80;
}

const char *ids014_body(const struct ids014 *ids, struct buf *body)
{
    buf_init(body, CHECK014_BODY_BYTES);
    etsi014_key_ids_put(body, ids->ids, ids->count);
    buf_put_u8(body, '\0');
    return body->failed ? "" : (const char *)body->data;
}

/* The key of that ID; NULL when it is not there. */
static const struct secret *find_key(const struct etsi014_container *container,
                                     const struct key_id *id)
{
    for (size_t i = 0; i < container->count; i++)
        if (key_id_equal(&container->keys[i].id, id))
            return container->keys[i].key;
    return NULL;
}

bool claim014(struct check_run *run, struct check_report *report, enum check_end end,
              const struct keys014 *reserved, struct keys014 *claimed)
{
    const struct ids014 ids = ids014_of(reserved);
    struct call014 call = {.end = end, .method = "dec_keys"};
    struct buf body;
    bool ok;

    call.body = ids014_body(&ids, &body);
    ok = keys014_get(run, report, "dec_keys", &call, ids.count, 0, claimed);
    buf_free(&body);
    for (size_t i = 0; ok && i < ids.count; i++) {
        const struct secret *key = find_key(&claimed->container, &ids.ids[i]);
        char text[KEY_ID_TEXT_CHARS + 1];

        key_id_format(&ids.ids[i], text);
        if (key == NULL)
            ok = check_fail(report, "dec_keys: expected key_ID %s, came others", text);
        else if (!secret_equal(key, reserved->container.keys[i].key))
            ok = check_fail(report,
                            "expected the same octets at both ends, came others for "
                            "key_ID %s",
                            text);
    }
    return ok;
}

bool claim014_all(struct check_run *run, struct check_report *report, enum check_end end,
                  const struct keys014 *reserved)
{
    struct keys014 claimed;
    bool ok = claim014(run, report, end, reserved, &claimed);

    keys014_free(&claimed);
    return ok;
}

bool claim014_refused(struct check_run *run, struct check_report *report, const char *what,
                      enum check_end end, const char *peer, const struct ids014 *ids, int code,
                      const char *message)
{
    struct call014 call = {.end = end, .method = "dec_keys", .peer = peer};
    struct answer answer;
    struct buf body;
    bool ok;

    call.body = ids014_body(ids, &body);
    ok = call014(run, report, &call, &answer);
    if (ok && code == 401)
        ok = expect_unauthorised(report, what, &answer);
    else if (ok)
        ok = expect_code(report, what, &answer, code) &&
             (message == NULL || expect_error(report, what, &answer, message));
    answer_free(&answer);
    buf_free(&body);
    return ok;
}

/* Whether the key server answered at all. */
static bool claim_quietly(struct check_run *run, const struct ids014 *ids, int *code)
{
    struct check_report ignored = {.result = CHECK_PASSED};
    struct call014 call = {.end = CHECK_RESPONDER, .method = "dec_keys"};
    struct answer answer;
    struct buf body;
    bool ok;

    call.body = ids014_body(ids, &body);
    ok = call014(run, &ignored, &call, &answer);
    *code = answer.code;
    answer_free(&answer);
    buf_free(&body);
    return ok;
}

/* All at once; where one of them is gone already, each by itself. */
static bool claim_batch(struct check_run *run, const struct ids014 *ids)
{
    int code;

    if (!claim_quietly(run, ids, &code))
        return false;
    for (size_t i = 0; code != 200 && ids->count > 1 && i < ids->count; i++) {
        struct ids014 one = {.count = 1};

        one.ids[0] = ids->ids[i];
        if (!claim_quietly(run, &one, &(int){0}))
            return false;
    }
    return true;
}

void clean_up014(struct check_run *run)
{
    struct deadline deadline = deadline_in_ms(2 * run->choices.timeout_ms);
    const struct check014 *state = check014_of(run);
    const size_t batch = number014(run, ETSI014_KEYS_MAX);
    struct ids014 ids = {.count = 0};

    for (size_t i = 0; i < state->seen_count && !deadline_passed(&deadline); i++) {
        if (!state->claimed[i])
            ids.ids[ids.count++] = state->seen[i];
        if (ids.count == batch || (i + 1 == state->seen_count && ids.count > 0)) {
            if (!claim_batch(run, &ids))
                return;
            ids.count = 0;
        }
    }
}
