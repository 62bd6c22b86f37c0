/* SPDX-License-Identifier: Apache-2.0 */
/* S04 37: the other key server goes away and comes back. Only in a laboratory. */
#include <poll.h>

#include "ctl/check004.h"

enum {
    DOWN_LIMIT_MS = 20000,
    UP_LIMIT_MS = 30000,
    PAUSE_MS = 100,
    AGAIN_MS = 1000,
    TIMEOUT_MS = 1500
};

/* Whether OPEN_CONNECT comes to be refused with 4. */
static bool open_gets_4(struct scene004 *scene, struct status *status)
{
    struct deadline deadline = deadline_in_ms(DOWN_LIMIT_MS);
    struct line004 *line = line004_new(scene, END_INITIATOR, status);
    struct reply004 reply;

    while (line != NULL) {
        struct etsi004_open open = scene004_wish(scene, END_INITIATOR);

        if (!line004_open(line, &open, &reply, status))
            return false;
        if (reply.outcome == ETSI004_NO_QKD_CONNECTION || deadline_passed(&deadline))
            return expect_outcome(&reply, ETSI004_NO_QKD_CONNECTION,
                                  "OPEN_CONNECT without the other key server", status);
        poll(NULL, 0, PAUSE_MS);
    }
    return false;
}

static bool is_down(struct scene004 *scene, const struct pair004 *pair, struct status *status)
{
    const unsigned wanted = EITHER(ETSI004_NO_QKD_CONNECTION, ETSI004_TIMEOUT);

    return open_gets_4(scene, status) &&
           expect_no_key(pair->lines[END_INITIATOR], &pair->id, 1, wanted,
                         "GET_KEY of a new index without the other key server", status);
}

/* Whether streams work again, with both ends holding the same octets. */
static bool works_again(struct scene004 *scene, struct status *status)
{
    struct deadline deadline = deadline_in_ms(UP_LIMIT_MS);
    struct reply004 one, other;

    for (;;) {
        struct status failure = STATUS_INIT;
        struct pair004 pair;

        if (scene004_pair(scene, NULL, &pair, &failure) &&
            line004_get_key(pair.lines[END_INITIATOR], &pair.id, 0, &one, &failure) &&
            expect_key(&one, "the initiator", &failure) &&
            line004_get_key(pair.lines[END_RESPONDER], &pair.id, 0, &other, &failure) &&
            expect_key(&other, "the responder", &failure))
            return expect_same_key(&one, &other, "after the restart", status);
        if (deadline_passed(&deadline))
            return status_fail(status, failure.outcome,
                               "the other key server is back, and no stream works: %s",
                               failure.text);
        poll(NULL, 0, AGAIN_MS);
    }
}

static bool link_down(struct scene004 *scene, struct status *status)
{
    struct etsi004_qos qos = scene004_wish(scene, END_INITIATOR).qos;
    enum lab_kme kme = scene->cast->responders_kme;
    struct status starting = STATUS_INIT;
    struct pair004 pair;
    bool ok;

    qos.timeout_ms = TIMEOUT_MS;
    if (!scene004_pair(scene, &qos, &pair, status) || !lab_kme_stop(scene->cast->lab, kme, status))
        return false;
    ok = is_down(scene, &pair, status);
    if (!lab_kme_start(scene->cast->lab, kme, &starting))
        return status_fail(status, starting.outcome, "%s", starting.text);
    return ok && works_again(scene, status);
}

CHECK004(check004_link_down, link_down)
