/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/scene004.h"

enum { EARLY_MS = 250, MARGIN_MS = 3000, WANTED_TEXT_BYTES = 200 };

bool expect_outcome(const struct reply004 *reply, enum etsi004_outcome wanted, const char *what,
                    struct status *status)
{
    return reply->outcome == wanted ||
           status_fail(status, OUTCOME_KME, "%s: expected status %d (%s), got %d (%s)", what,
                       (int)wanted, etsi004_outcome_text(wanted), (int)reply->outcome,
                       etsi004_outcome_text(reply->outcome));
}

/* The numbers of a set of statuses: "2, 3 or 6". */
static void wanted_text(unsigned wanted, char text[static WANTED_TEXT_BYTES])
{
    size_t length = 0;
    int count = 0, total = 0;

    text[0] = '\0';
    for (int outcome = 0; outcome < ETSI004_OUTCOME_COUNT; outcome++)
        total += (wanted >> outcome & 1) != 0;
    for (int outcome = 0; outcome < ETSI004_OUTCOME_COUNT; outcome++) {
        if ((wanted >> outcome & 1) == 0)
            continue;
        length += (size_t)snprintf(text + length, WANTED_TEXT_BYTES - length, "%s%d",
                                   count == 0           ? ""
                                   : count == total - 1 ? " or "
                                                        : ", ",
                                   outcome);
        count++;
    }
}

bool expect_one_of(const struct reply004 *reply, unsigned wanted, const char *what,
                   struct status *status)
{
    char text[WANTED_TEXT_BYTES];

    if ((wanted >> reply->outcome & 1) != 0)
        return true;
    wanted_text(wanted, text);
    return status_fail(status, OUTCOME_KME, "%s: expected status %s, got %d (%s)", what, text,
                       (int)reply->outcome, etsi004_outcome_text(reply->outcome));
}

bool expect_open(const struct reply004 *reply, const char *what, struct status *status)
{
    if (!expect_one_of(reply, EITHER(ETSI004_SUCCESS, ETSI004_PEER_NOT_YET_CONNECTED), what,
                       status))
        return false;
    return !key_id_is_zero(&reply->stream_id) ||
           status_fail(status, OUTCOME_KME, "%s: the stream has the ID of zeros", what);
}

bool expect_key(const struct reply004 *reply, const char *what, struct status *status)
{
    return expect_outcome(reply, ETSI004_SUCCESS, what, status);
}

bool expect_same_key(const struct reply004 *one, const struct reply004 *other, const char *what,
                     struct status *status)
{
    return secret_equal(one->key, other->key) ||
           status_fail(status, OUTCOME_KME, "%s: the two ends hold different octets", what);
}

bool expect_at_once(const struct reply004 *reply, uint32_t timeout_ms, const char *what,
                    struct status *status)
{
    return reply->took_ms < timeout_ms / 2 ||
           status_fail(status, OUTCOME_KME,
                       "%s: expected an answer at once, it took %" PRId64 " ms of a Timeout of "
                       "%" PRIu32 " ms",
                       what, reply->took_ms, timeout_ms);
}

bool expect_at_timeout(const struct reply004 *reply, uint32_t timeout_ms, const char *what,
                       struct status *status)
{
    int64_t tenth_ms = timeout_ms / 10;
    int64_t early_ms = timeout_ms - (tenth_ms > EARLY_MS ? tenth_ms : EARLY_MS) - tenth_ms;

    return (reply->took_ms >= early_ms && reply->took_ms <= timeout_ms + tenth_ms + MARGIN_MS) ||
           status_fail(status, OUTCOME_KME,
                       "%s: expected an answer at the Timeout of %" PRIu32 " ms, it took %" PRId64
                       " ms",
                       what, timeout_ms, reply->took_ms);
}

bool expect_no_key(struct line004 *line, const struct key_id *id, uint32_t index, unsigned wanted,
                   const char *what, struct status *status)
{
    struct reply004 reply;

    return line004_get_key(line, id, index, &reply, status) &&
           expect_one_of(&reply, wanted, what, status);
}
