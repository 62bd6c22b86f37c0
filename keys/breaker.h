/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health of one key server: after some failures in a row callers fail at once, and one probe
 * at a time finds out when it is back.
 *
 * Without locks and waits; any thread may call anything except breaker_free. A forked child begins
 * as new: closed. Times are nanoseconds of the monotonic clock, not negative.
 */
#ifndef QKD_KEYS_BREAKER_H
#define QKD_KEYS_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum {
    BREAKER_THRESHOLD_MAX = 1000,
    BREAKER_PROBE_MIN_MS = 250,  /* from opening to the first probe; each failure doubles it ... */
    BREAKER_PROBE_MAX_MS = 1000, /* ... up to this; breaker_good begins anew */
    BREAKER_LOST_MS = 2000,      /* a probe of which nothing was heard may be followed by another */
    BREAKER_STALE_MS = 10000 /* what was learnt longer ago, and not looked into since, is stale */
};

struct breaker;

/* Opens after `threshold` failures in a row, 1 to BREAKER_THRESHOLD_MAX (values out of range are
 * taken to the nearest end of it). NULL when out of memory. */
struct breaker *breaker_new(int threshold);
void breaker_free(struct breaker *breaker);

enum breaker_answer {
    BREAKER_CLOSED, /* ask the key server, and say breaker_good or breaker_failed afterwards */
    BREAKER_OPEN,   /* fail at once, with breaker_refuse */
    BREAKER_PROBE   /* the same, and this caller begins a probe that waits for nothing; what came of
                     * it is told with breaker_probe_ended, whenever it is known */
};

/* Where nobody asked for BREAKER_STALE_MS while it was open, one caller is told BREAKER_CLOSED and
 * the others BREAKER_OPEN until that one's attempt has ended. Counted from the last probe or
 * failure, one of which follows all asking within BREAKER_LOST_MS. */
enum breaker_answer breaker_ask(struct breaker *breaker, int64_t now_ns);

/* Whether breaker_ask would answer BREAKER_OPEN; changes nothing. */
bool breaker_is_open(const struct breaker *breaker, int64_t now_ns);

/* It answered: closed, failures are forgotten. */
void breaker_good(struct breaker *breaker);

/* A failure that kept a caller waiting. The text should not name the key server: whoever passes on
 * what breaker_refuse says will. */
void breaker_failed(struct breaker *breaker, const struct status *failure, int64_t now_ns);

/* What came of the probe. Good: callers are let through, and one more failure opens it again. */
void breaker_probe_ended(struct breaker *breaker, bool good, int64_t now_ns);

/* A caller who was told BREAKER_CLOSED has got on well so far, which proves nothing, or will not
 * ask: if it was the one who tries what is stale, others are let through as after a good probe. */
void breaker_passed(struct breaker *breaker);

/* Puts into *status how often it failed and how it did last; OUTCOME_KME. Returns false. */
bool breaker_refuse(const struct breaker *breaker, int64_t now_ns, struct status *status);

#endif
