/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a key stream at one of its two ends (ETSI GS QKD 004 clause 6.2), as a table. Local
 * is the SAE of this site, peer the one behind the other key server. Pure.
 */
#ifndef QKD_KME_STATE004_H
#define QKD_KME_STATE004_H

#include <stdbool.h>

enum state004 {
    STATE004_LOCAL_ONLY, /* opened here, not yet by the peer */
    STATE004_PEER_ONLY,  /* opened by the peer, not yet here */
    STATE004_BOTH,
    STATE004_PEER_LEFT,  /* closed here; the peer may read what is allocated */
    STATE004_LOCAL_LEFT, /* closed by the peer; what is allocated may be read here */
    STATE004_DEAD,       /* wiped; its ID is burnt */
    STATE004_COUNT
};

enum event004 {
    EVENT004_LOCAL_OPENED,
    EVENT004_PEER_OPENED,
    EVENT004_LOCAL_CLOSED, /* by CLOSE, or abandoned for longer than its TTL */
    EVENT004_PEER_CLOSED,
    EVENT004_FORGOTTEN, /* the other key server has no such stream any more */
    EVENT004_COUNT
};

/* Where the event leads; the same state where it changes nothing. */
enum state004 state004_after(enum state004 state, enum event004 event);

/* For metrics: "local_only" and so on. */
extern const char *const state004_names[STATE004_COUNT];

/* Whether the SAE of this site has opened the stream and not closed it. */
bool state004_is_open_here(enum state004 state);

/* Whether the peer has opened the stream, if only to close it again. */
bool state004_peer_has_opened(enum state004 state);

#endif
