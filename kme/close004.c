/* SPDX-License-Identifier: Apache-2.0 */
/* CLOSE (ETSI GS QKD 004 clause 6.4). */
#include <string.h>

#include "kme/call004.h"

void close004(struct call004 *call)
{
    const char *caller = call004_caller(call);
    struct stream004 *stream = call004_stream(call, &call->id);

    if (caller == NULL || stream == NULL || strcmp(stream->local, caller) != 0 ||
        !state004_is_open_here(stream->state)) {
        call004_answer_close(call, ETSI004_PEER_NOT_CONNECTED);
        return;
    }
    stream004_close_here(stream->streams, stream);
    call004_answer_close(call, ETSI004_SUCCESS);
}
