/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/misbehave004.h"

#include <string.h>

#include <event2/event.h>

#include "kme/journal.h"
#include "kme/misbehave.h"

static const struct misbehave_rule *now(const struct call004 *call, enum misbehave_kind kind)
{
    struct misbehave *set = call->connection->service->env->misbehave;
    const char *caller = misbehave_any(set) ? call004_caller(call) : NULL;

    return caller == NULL
               ? NULL
               : misbehave_now(set, kind, caller,
                               (enum misbehave_call)(MISBEHAVE_OPEN_CONNECT + call->kind));
}

bool misbehave004_delays(struct call004 *call)
{
    const struct misbehave_rule *rule;
    struct timeval wait;

    if (call->delay == DELAY004_OVER) {
        call->delay = DELAY004_NONE;
        return false;
    }
    rule = now(call, MISBEHAVE_DELAY);
    if (rule == NULL)
        return false;
    wait = misbehave_delay(rule);
    call->delay = DELAY004_ON;
    call->hold = ANSWERED_AFTER_HOLD;
    event_add(call->waiter.wake, &wait);
    return true;
}

static void refuse(struct call004 *call, enum etsi004_outcome outcome)
{
    struct etsi004_open_answer open = {.outcome = outcome};
    struct etsi004_key_answer key = {.outcome = outcome, .index = call->index};

    switch (call->kind) {
    case CALL004_OPEN_CONNECT:
        call004_answer_open(call, &open);
        break;
    case CALL004_GET_KEY:
        call004_answer_key(call, &key);
        break;
    case CALL004_CLOSE:
    case CALL004_COUNT:
        call004_answer_close(call, outcome);
        break;
    }
}

bool misbehave004_refuses(struct call004 *call)
{
    const struct misbehave_rule *rule = now(call, MISBEHAVE_ERROR);

    if (rule != NULL)
        refuse(call, (enum etsi004_outcome)rule->code); /* the enum has the numbers of V2.1.1 */
    else if (call->kind == CALL004_GET_KEY && now(call, MISBEHAVE_DEPLETION) != NULL)
        refuse(call, ETSI004_INSUFFICIENT_KEY);
    else
        return false;
    return true;
}

void misbehave004_put_open(struct call004 *call, const struct etsi004_open_answer *answer)
{
    struct buf *out = stream_output(call->connection->stream);
    struct etsi004_open_answer changed;

    bool is_good =
        answer->outcome == ETSI004_SUCCESS || answer->outcome == ETSI004_PEER_NOT_YET_CONNECTED;

    if (!is_good || now(call, MISBEHAVE_STATUS_7) == NULL) {
        etsi004_open_answer_put(out, call->profile, call->version, answer);
        return;
    }
    changed = *answer;
    changed.outcome = ETSI004_QOS_NOT_MET;
    etsi004_open_answer_put(out, call->profile, call->version, &changed);
}

static void tell_flip(const struct call004 *call)
{
    const struct connection004 *connection = call->connection;
    const struct journal_entry entry = {.event = JOURNAL_MISBEHAVE,
                                        .api = "004",
                                        .sae = call004_caller(call),
                                        .remote = connection->remote,
                                        .stream_id = &call->id,
                                        .index = &call->index,
                                        .outcome = "flip"};
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(&call->id, id);
    log_line(connection->service->env->log, LOG_LEVEL_WARN,
             "MISBEHAVIOUR ON COMMAND: position %u of stream %s reaches '%s' with one bit changed",
             call->index, id, entry.sae);
    journal_note(connection->service->env->journal, &entry);
}

/* The key that is told instead; NULL where it is the true one. Owned by the caller. */
static struct secret *other_key(struct call004 *call, const struct etsi004_key_answer *answer)
{
    bool flip = now(call, MISBEHAVE_FLIP) != NULL, shorter = now(call, MISBEHAVE_SHORT_KEY) != NULL;
    size_t size = answer->key->size_bytes;
    struct secret *key;

    if (shorter && size > 1)
        size /= 2;
    key = flip || shorter ? secret_new(size) : NULL;
    if (key == NULL)
        return NULL;
    memcpy(key->bytes, answer->key->bytes, size);
    if (flip) {
        key->bytes[size - 1] ^= 1;
        tell_flip(call);
    }
    return key;
}

void misbehave004_put_key(struct call004 *call, const struct etsi004_key_answer *answer)
{
    struct buf *out = stream_output(call->connection->stream);
    struct etsi004_key_answer changed;
    struct secret *key;

    if (answer->outcome != ETSI004_SUCCESS ||
        !misbehave_any(call->connection->service->env->misbehave)) {
        etsi004_key_answer_put(out, call->profile, call->version, answer);
        return;
    }
    changed = *answer;
    key = other_key(call, answer);
    if (key != NULL)
        changed.key = key;
    if (now(call, MISBEHAVE_WRONG_INDEX) != NULL)
        changed.index++;
    etsi004_key_answer_put(out, call->profile, call->version, &changed);
    secret_free(key);
}

bool misbehave004_drops(struct call004 *call, size_t begin)
{
    struct stream *stream = call->connection->stream;

    if (now(call, MISBEHAVE_DROP) == NULL)
        return false;
    stream_cut(stream, (stream_output(stream)->length - begin + 1) / 2);
    return true;
}
