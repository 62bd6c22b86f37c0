/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a call of ETSI 004, for the journal. */
#include <string.h>

#include "kme/call004.h"
#include "kme/journal.h"

/* An OPEN_CONNECT whose peer is not there yet, or that got other terms, has led to a stream too. */
static bool is_done(const struct call004_result *result)
{
    return result->outcome == ETSI004_SUCCESS || result->stream_id != NULL;
}

void call004_note(const struct call004 *call, const struct call004_result *result)
{
    static const enum journal_event done[CALL004_COUNT] = {
        [CALL004_OPEN_CONNECT] = JOURNAL_OPEN,
        [CALL004_GET_KEY] = JOURNAL_GET_KEY,
        [CALL004_CLOSE] = JOURNAL_CLOSE,
    };
    const struct connection004 *connection = call->connection;
    struct journal *journal = connection->service->env->journal;
    const struct key_id *id = result->stream_id != NULL ? result->stream_id : &call->id;
    const struct stream004 *stream;
    struct journal_entry entry = {
        .event = is_done(result) ? done[call->kind] : JOURNAL_REFUSED,
        .api = "004",
        .remote = connection->remote,
    };

    if (is_done(result) && !journal_is_open(journal))
        return;
    entry.sae = call004_caller(call);
    if (entry.sae == NULL)
        entry.sae = identity_text(connection->identity);
    stream = key_id_is_zero(id) ? NULL : call004_stream(call, id);
    if (stream != NULL && strcmp(stream->local, entry.sae) == 0)
        entry.peer = stream->peer;
    entry.stream_id = key_id_is_zero(id) ? NULL : id;
    entry.index = call->kind == CALL004_GET_KEY ? &call->index : NULL;
    entry.size_bits = (uint32_t)result->size_bytes * 8;
    entry.method = is_done(result) ? NULL : metrics_call004_name(call->kind);
    entry.outcome =
        result->outcome == ETSI004_SUCCESS ? NULL : metrics_outcome004_name(result->outcome);
    journal_note(journal, &entry);
}
