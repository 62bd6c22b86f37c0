/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of the key server, and their Prometheus text. All start at 0 and only grow. */
#ifndef QKD_KME_METRICS_H
#define QKD_KME_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "etsi/etsi004.h"
#include "kme/histogram.h"

struct shelf_counts;

enum metric_api { API_014, API_004, API_COUNT };

enum metric_role { ROLE_INITIATOR, ROLE_RESPONDER, ROLE_COUNT };

/* The methods of ETSI GS QKD 014 in the order of enum etsi014_method, and all else. */
enum metric_method { METHOD_STATUS, METHOD_ENC_KEYS, METHOD_DEC_KEYS, METHOD_OTHER, METHOD_COUNT };

enum metric_outcome {
    METRIC_OK,
    METRIC_BAD_REQUEST,
    METRIC_UNAUTHORISED,
    METRIC_NOT_FOUND,
    METRIC_UNAVAILABLE,
    METRIC_ABORTED, /* the SAE went away while its request was held */
    METRIC_OUTCOME_COUNT
};

/* Whether the answer had to wait for something else than us: news of the peer, key material, time.
 */
enum metric_hold { ANSWERED_AT_ONCE, ANSWERED_AFTER_HOLD, HOLD_COUNT };

enum metric_call004 { CALL004_OPEN_CONNECT, CALL004_GET_KEY, CALL004_CLOSE, CALL004_COUNT };

/* Outcomes of a call of ETSI 004 beside those of enum etsi004_outcome. */
enum {
    OUTCOME004_MALFORMED = ETSI004_OUTCOME_COUNT,
    OUTCOME004_ABORTED, /* the SAE went away while its call was waiting */
    OUTCOME004_COUNT
};

/* Why key bits that were there never became a key of two SAEs. */
enum metric_loss {
    LOSS_PEER_RESTART, /* the other end forgot them */
    LOSS_LINK,         /* in flight when the link broke */
    LOSS_EXPIRED,      /* not claimed within their lifetime */
    LOSS_DISPLACED,    /* too many unclaimed keys */
    LOSS_MISMATCH,     /* the two ends disagree about a block */
    LOSS_SURPLUS,      /* of a block, beyond the size of its key */
    LOSS_CLOSED,       /* of a stream that was closed before they were read */
    LOSS_CRASH,        /* open when this key server ended without a clean stop: at most so many */
    LOSS_COUNT
};

/* SIGHUP. */
enum metric_reload { RELOAD_DONE, RELOAD_REFUSED, RELOAD_COUNT };

struct metrics_sae {
    char *sae;
    uint64_t delivered[API_COUNT][ROLE_COUNT];
    int64_t seen_ns; /* its last request; 0: never */
};

/* Counters of one link. */
struct metrics_peer {
    uint64_t generated_bits;
    uint64_t lost_bits[LOSS_COUNT];
};

struct metrics {
    uint64_t requests[METHOD_COUNT][METRIC_OUTCOME_COUNT];
    uint64_t requests004[CALL004_COUNT][OUTCOME004_COUNT];
    struct histogram durations[METHOD_COUNT][HOLD_COUNT];
    struct histogram durations004[CALL004_COUNT][HOLD_COUNT];
    uint64_t connections[API_COUNT], resumed[API_COUNT];
    uint64_t streams_opened, streams_closed;
    uint64_t reloads[RELOAD_COUNT];
    struct metrics_sae *saes;
    size_t sae_count;
};

/* Makes the SAE's counters appear; known ones keep their values. False when out of memory. */
bool metrics_add_sae(struct metrics *metrics, const char *sae);
void metrics_free(struct metrics *metrics);

void metrics_count_keys(struct metrics *metrics, enum metric_api api, const char *sae,
                        enum metric_role role, size_t count);

/* A request of this SAE came in. */
void metrics_saw_sae(struct metrics *metrics, const char *sae, int64_t now_ns);

/* What came of a call of ETSI 004, as the metrics call it: an enum etsi004_outcome, or one of
 * OUTCOME004_*. */
const char *metrics_outcome004_name(unsigned outcome);
const char *metrics_call004_name(enum metric_call004 call);
const char *metrics_method_name(enum metric_method method);
const char *metrics_loss_name(enum metric_loss reason);

/* An SAE's connection, when its TLS handshake is done. */
void metrics_connected(struct metrics *metrics, enum metric_api api, bool resumed);

/* A link as it is now. */
struct metrics_link {
    const char *peer;
    const struct metrics_peer *counters;
    bool up;
    uint64_t available_bits; /* that initiators of this site can still reserve */
    uint64_t open_bits;      /* of both sites, in memory only */
    uint64_t resting_bits;   /* of both sites, on the shelf */
};

/* Streams of ETSI 004 by state; what a state is called. */
struct metrics_streams {
    const char *const *names;
    const size_t *counts;
    size_t state_count;
};

/* Appends how many lines of the audit log were lost. */
void metrics_put_audit_lost(uint64_t lines, struct buf *buf);

/* Appends what the store on the disk holds. */
void metrics_put_shelf(const struct shelf_counts *counts, struct buf *buf);

/* Appends the text exposition format. */
void metrics_put(const struct metrics *metrics, const struct metrics_link *links, size_t link_count,
                 const struct metrics_streams *streams, struct buf *buf);

#endif
