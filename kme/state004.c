/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/state004.h"

const char *const state004_names[STATE004_COUNT] = {
    [STATE004_LOCAL_ONLY] = "local_only",
    [STATE004_PEER_ONLY] = "peer_only",
    [STATE004_BOTH] = "both",
    [STATE004_PEER_LEFT] = "peer_left",
    [STATE004_LOCAL_LEFT] = "local_left",
    [STATE004_DEAD] = "dead",
};

#define LOCAL_ONLY STATE004_LOCAL_ONLY
#define PEER_ONLY STATE004_PEER_ONLY
#define BOTH STATE004_BOTH
#define PEER_LEFT STATE004_PEER_LEFT
#define LOCAL_LEFT STATE004_LOCAL_LEFT
#define DEAD STATE004_DEAD

/* Columns: local opened, peer opened, local closed, peer closed, forgotten. */
static const enum state004 table[STATE004_COUNT][EVENT004_COUNT] = {
    [LOCAL_ONLY] = {LOCAL_ONLY, BOTH, DEAD, DEAD, DEAD},
    [PEER_ONLY] = {BOTH, PEER_ONLY, PEER_ONLY, DEAD, DEAD},
    [BOTH] = {BOTH, BOTH, PEER_LEFT, LOCAL_LEFT, DEAD},
    [PEER_LEFT] = {PEER_LEFT, PEER_LEFT, PEER_LEFT, DEAD, DEAD},
    [LOCAL_LEFT] = {LOCAL_LEFT, LOCAL_LEFT, DEAD, LOCAL_LEFT, DEAD},
    [DEAD] = {DEAD, DEAD, DEAD, DEAD, DEAD},
};

enum state004 state004_after(enum state004 state, enum event004 event)
{
    return table[state][event];
}

bool state004_is_open_here(enum state004 state)
{
    return state == LOCAL_ONLY || state == BOTH || state == LOCAL_LEFT;
}

bool state004_peer_has_opened(enum state004 state)
{
    return state != LOCAL_ONLY && state != DEAD;
}
