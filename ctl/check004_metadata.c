/* SPDX-License-Identifier: Apache-2.0 */
/* S04 26 to 28: GET_KEY, metadata. */
#include <inttypes.h>
#include <poll.h>

#include <jansson.h>

#include "ctl/check004.h"

static bool no_room(struct scene004 *scene, struct status *status)
{
    struct reply004 reply;
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status) ||
        !line004_get_key_room(pair.lines[END_INITIATOR], &pair.id, 0, 0, &reply, status))
        return false;
    if (scene004_is_qubip(scene) && reply.outcome == ETSI004_METADATA_TOO_SMALL) {
        scene004_note(scene, "qubip: metadata is mandatory, status 8");
        return true;
    }
    return expect_key(&reply, "GET_KEY without room for metadata", status) &&
           (reply.metadata_bytes == 0 ||
            status_fail(status, OUTCOME_KME,
                        "expected no metadata without room for it, got %u "
                        "octets",
                        (unsigned)reply.metadata_bytes));
}

CHECK004(check004_no_room, no_room)

static bool too_small(struct scene004 *scene, struct status *status)
{
    struct reply004 refused, first, second;
    uint32_t needed = SCENE_METADATA_BYTES;
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status) ||
        !line004_get_key_room(pair.lines[END_INITIATOR], &pair.id, 0, 1, &refused, status) ||
        !expect_outcome(&refused, ETSI004_METADATA_TOO_SMALL,
                        "GET_KEY with room for one octet of metadata", status))
        return false;
    if (scene004_profile(scene) == ETSI004_W1) {
        needed = refused.metadata_bytes;
        if (needed <= 1 || needed > ETSI004_METADATA_MAX_BYTES)
            return status_fail(status, OUTCOME_KME,
                               "expected the size that is needed, got %u octets", (unsigned)needed);
    }
    return line004_get_key_room(pair.lines[END_INITIATOR], &pair.id, 0, needed, &first, status) &&
           expect_key(&first, "asking again with the size that is needed", status) &&
           line004_get_key(pair.lines[END_RESPONDER], &pair.id, 0, &second, status) &&
           expect_key(&second, "the responder", status) &&
           expect_same_key(&first, &second, "the key that was asked for again", status);
}

CHECK004(check004_too_small, too_small)

/* A number that metadata must have: an integer of 32 bits. */
static bool has_number(const json_t *metadata, const char *name, bool is_qubip,
                       struct status *status)
{
    const json_t *value = json_object_get(metadata, name);

    if (!json_is_integer(value))
        return status_fail(status, OUTCOME_KME, "metadata has no integer \"%s\"", name);
    if (is_qubip)
        return true;
    return (json_integer_value(value) >= 0 && json_integer_value(value) <= UINT32_MAX) ||
           status_fail(status, OUTCOME_KME,
                       "\"%s\" is %" JSON_INTEGER_FORMAT ", which is no number of 32 bits%s", name,
                       json_integer_value(value),
                       json_integer_value(value) > 0 ? " (the time of day instead of an age?)"
                                                     : "");
}

/* JSON of which each octet was read; it may not hold a NUL. */
static bool check_metadata(const struct scene004 *scene, const struct reply004 *reply,
                           struct status *status)
{
    json_error_t error;
    json_t *metadata = json_loadb(reply->metadata, reply->metadata_bytes, 0, &error);
    bool ok;

    if (!json_is_object(metadata)) {
        json_decref(metadata);
        return status_fail(status, OUTCOME_KME,
                           "expected metadata that is a JSON object, got %u octets that are not: "
                           "%s",
                           (unsigned)reply->metadata_bytes, error.text);
    }
    ok = has_number(metadata, "age", scene004_is_qubip(scene), status) &&
         has_number(metadata, "hops", scene004_is_qubip(scene), status);
    json_decref(metadata);
    return ok;
}

static bool metadata_json(struct scene004 *scene, struct status *status)
{
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    if (scene004_is_qubip(scene))
        scene004_note(scene, "qubip: the age may be the time of day");
    for (int end = END_INITIATOR; end <= END_RESPONDER; end++) {
        struct reply004 reply;

        if (!line004_get_key(pair.lines[end], &pair.id, 0, &reply, status) ||
            !expect_key(&reply, end004_text((enum end004)end), status) ||
            !check_metadata(scene, &reply, status))
            return false;
    }
    return true;
}

CHECK004(check004_metadata_json, metadata_json)

static bool room_is_kept(struct scene004 *scene, struct status *status)
{
    enum { ROOM_FIRST = 4, ROOM_STEP = 4, ROOM_MAX = 200 };
    struct reply004 reply;
    struct pair004 pair;

    if (!scene004_pair(scene, NULL, &pair, status))
        return false;
    for (uint32_t room = ROOM_FIRST; room <= ROOM_MAX; room += ROOM_STEP) {
        if (!line004_get_key_room(pair.lines[END_RESPONDER], &pair.id, 0, room, &reply, status) ||
            !expect_one_of(&reply, EITHER(ETSI004_SUCCESS, ETSI004_METADATA_TOO_SMALL), "GET_KEY",
                           status))
            return false;
        if (reply.outcome != ETSI004_SUCCESS)
            continue;
        return reply.metadata_bytes <= room ||
               status_fail(status, OUTCOME_KME, "there was room for %u octets of metadata, %u came",
                           (unsigned)room, (unsigned)reply.metadata_bytes);
    }
    return status_fail(status, OUTCOME_KME, "no key even with room for %d octets of metadata",
                       ROOM_MAX);
}

CHECK004(check004_room_is_kept, room_is_kept)
