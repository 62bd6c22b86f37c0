/* SPDX-License-Identifier: Apache-2.0 */
/* S04 35: what waiting calls and many streams cost others. */
#include <inttypes.h>

#include "ctl/check004.h"

enum { WAITING = 8, READS = 5, HEAVY_WAITING = 100, HEAVY_STREAMS = 1000, BATCH = 50 };

/* A stream that its peer has not opened. */
static bool open_alone(struct scene004 *scene, struct line004 *line, struct key_id *id,
                       struct status *status)
{
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;

    if (!line004_open(line, &open, &reply, status) ||
        !expect_open(&reply, "OPEN_CONNECT of a stream without a peer", status))
        return false;
    *id = reply.stream_id;
    return true;
}

/* Streams whose next key does not come at once: one has no peer, one keeps to a low Max_bps. */
struct waits {
    struct key_id alone, slow;
};

static bool open_waits(struct scene004 *scene, struct line004 *line, struct waits *waits,
                       struct status *status)
{
    struct etsi004_qos qos = scene004_wish(scene, END_INITIATOR).qos;
    struct reply004 reply;
    struct pair004 pair;

    qos.max_bps = 8;
    if (!open_alone(scene, line, &waits->alone, status) ||
        !scene004_pair(scene, &qos, &pair, status))
        return false;
    waits->slow = pair.id;
    return line004_get_key(pair.lines[END_INITIATOR], &pair.id, 0, &reply, status) &&
           expect_key(&reply, "the first key of a slow stream", status);
}

/* One call that waits at most key servers: GET_KEY, or OPEN_CONNECT with an ID. */
static struct line004 *begin_waiting(struct scene004 *scene, int number, const struct waits *waits,
                                     struct status *status)
{
    enum { KINDS = 3 };
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    bool ok = line != NULL;

    if (ok && number % KINDS == 0)
        ok = new_stream_id(&open.stream_id, status) && line004_send_open(line, &open, status);
    else if (ok && number % KINDS == 1)
        ok = line004_send_get_key(line, &waits->alone, 0, SCENE_METADATA_BYTES, status);
    else if (ok)
        ok = line004_send_get_key(line, &waits->slow, 1, SCENE_METADATA_BYTES, status);
    return ok ? line : NULL;
}

static bool reads_meanwhile(const struct pair004 *pair, struct status *status)
{
    for (uint32_t index = 0; index < READS; index++) {
        struct line004 *line = pair->lines[END_INITIATOR];
        struct reply004 reply;

        if (!line004_get_key(line, &pair->id, index, &reply, status) ||
            !expect_key(&reply, "GET_KEY of another connection while calls wait", status) ||
            !expect_at_once(&reply, SCENE_PATIENCE_MS,
                            "GET_KEY of another connection while calls wait", status))
            return status_prefix(status, "index %u", (unsigned)index);
    }
    return true;
}

static bool waiting(struct scene004 *scene, int count, struct status *status)
{
    struct line004 *lines[HEAVY_WAITING];
    struct waits waits;
    struct pair004 pair;
    int silent = 0;

    if (!scene004_pair(scene, NULL, &pair, status) ||
        !open_waits(scene, pair.lines[END_INITIATOR], &waits, status))
        return false;
    for (int i = 0; i < count; i++) {
        lines[i] = begin_waiting(scene, i, &waits, status);
        if (lines[i] == NULL)
            return false;
    }
    if (!reads_meanwhile(&pair, status))
        return status_prefix(status, "%d calls wait", count);
    for (int i = 0; i < count; i++)
        silent += line004_is_silent(lines[i]) ? 1 : 0;
    return silent > 0 || scene004_skip(scene, "no call waits at this key server: nothing to see");
}

static bool waiting_calls(struct scene004 *scene, struct status *status)
{
    return waiting(scene, WAITING, status);
}

CHECK004(check004_waiting_calls, waiting_calls)

/* Some requests in one go: a thousand round trips are no concern of this check. */
static bool open_batch(struct scene004 *scene, struct line004 *line, int count,
                       struct status *status)
{
    struct etsi004_open open = scene004_wish(scene, END_INITIATOR);
    struct reply004 reply;

    for (int i = 0; i < count; i++)
        if (!line004_send_open(line, &open, status))
            return false;
    for (int i = 0; i < count; i++)
        if (!line004_read(line, ETSI004_OPEN_CONNECT, &reply, status) ||
            !expect_open(&reply, "OPEN_CONNECT of many streams", status))
            return false;
    return true;
}

static bool many_streams(struct scene004 *scene, struct status *status)
{
    struct line004 *line;

    if (scene004_profile(scene) == ETSI004_W2)
        return scene004_skip(scene, "in W2 each call has a connection of its own");
    line = line004_new(scene, END_INITIATOR, status);
    for (int opened = 0; line != NULL && opened < HEAVY_STREAMS; opened += BATCH)
        if (!open_batch(scene, line, BATCH, status))
            return status_prefix(status, "%d streams are open", opened);
    return line != NULL && waiting(scene, HEAVY_WAITING, status);
}

CHECK004(check004_many_streams, many_streams)
