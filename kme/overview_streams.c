/* SPDX-License-Identifier: Apache-2.0 */
/* Key streams of all links. */
#include "kme/config.h"
#include "kme/overview.h"
#include "kme/overview_parts.h"
#include "kme/stream004.h"

#define NS_PER_S INT64_C(1000000000)

static void put_stream(const struct stream004 *stream, int64_t now_ns, struct json_out *out)
{
    char id[KEY_ID_TEXT_CHARS + 1];

    key_id_format(&stream->id, id);
    json_out_object(out, NULL);
    json_out_text(out, "Key_stream_ID", id);
    json_out_text(out, "sae", stream->local);
    json_out_text(out, "peer", stream->peer);
    json_out_text(out, "link", stream->streams->peer->kme_id);
    json_out_text(out, "state", state004_names[stream->state]);
    json_out_text(out, "role", stream->ours ? "initiator" : "responder");
    json_out_number(out, "age_s", (now_ns - stream->opened_ns) / NS_PER_S);
    json_out_number(out, "delivered", (int64_t)stream->delivered);
    json_out_object_end(out);
}

/* Each link has its own in order; takes the newest of what the cursors are at. */
static const struct stream004 *take_newest(const struct stream004 **cursors, size_t count)
{
    const struct stream004 **newest = NULL, *taken;

    for (size_t i = 0; i < count; i++)
        if (cursors[i] != NULL && (newest == NULL || cursors[i]->opened_ns > (*newest)->opened_ns))
            newest = &cursors[i];
    if (newest == NULL)
        return NULL;
    taken = *newest;
    *newest = TAILQ_PREV(taken, stream004_list, next);
    return taken;
}

static void put_newest(const struct peers *peers, int64_t now_ns, struct json_out *out)
{
    const struct stream004 *cursors[CONFIG_LINKS_MAX], *stream;

    for (size_t i = 0; i < peers->count; i++)
        cursors[i] = TAILQ_LAST(&peers->items[i].streams->all, stream004_list);
    json_out_array(out, "newest");
    for (int i = 0; i < OVERVIEW_STREAMS_MAX; i++) {
        stream = take_newest(cursors, peers->count);
        if (stream == NULL)
            break;
        put_stream(stream, now_ns, out);
    }
    json_out_array_end(out);
}

void overview_put_streams(const struct peers *peers, int64_t now_ns, struct json_out *out)
{
    const size_t *counts = peers->catalogue.counts;
    size_t total = 0;

    json_out_object(out, "streams");
    json_out_object(out, "states");
    for (int state = 0; state < STATE004_DEAD; state++) {
        json_out_number(out, state004_names[state], (int64_t)counts[state]);
        total += counts[state];
    }
    json_out_object_end(out);
    json_out_number(out, "total", (int64_t)total);
    put_newest(peers, now_ns, out);
    json_out_object_end(out);
}
