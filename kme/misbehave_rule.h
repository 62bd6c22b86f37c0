/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rule of misbehaviour on command: what the key server does wrong, to whom, in which calls, and
 * how often. The same members in the configuration file and in JSON. Pure.
 */
#ifndef QKD_KME_MISBEHAVE_RULE_H
#define QKD_KME_MISBEHAVE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "etsi/etsi014.h"

enum misbehave_kind {
    MISBEHAVE_DELAY,
    MISBEHAVE_ERROR,
    MISBEHAVE_DROP,           /* the connection ends in the middle of the answer */
    MISBEHAVE_DEPLETION,      /* as if there were no key material */
    MISBEHAVE_FLIP,           /* one bit of a key differs from what the other end gets */
    MISBEHAVE_CHUNKED,        /* from here on: dialects of ETSI 014 */
    MISBEHAVE_TRAILING_SLASH, /* paths must end with a slash */
    MISBEHAVE_USED_404,       /* 404 for an ID that no key has */
    MISBEHAVE_EMPTY_400,      /* 400 when there is no key material */
    MISBEHAVE_FEWER_KEYS,     /* 200 with one key less than asked for */
    MISBEHAVE_UNORDERED,      /* the keys in another order */
    MISBEHAVE_UPPER_CASE_IDS,
    MISBEHAVE_STATUS_7, /* from here on: ETSI 004. Success of OPEN_CONNECT is told as status 7 */
    MISBEHAVE_WRONG_INDEX,
    MISBEHAVE_SHORT_KEY, /* half the octets that were agreed */
    MISBEHAVE_KIND_COUNT
};

extern const char *const misbehave_kind_names[MISBEHAVE_KIND_COUNT];

enum misbehave_call {
    MISBEHAVE_STATUS, /* of ETSI 014, in the order of enum etsi014_method */
    MISBEHAVE_ENC_KEYS,
    MISBEHAVE_DEC_KEYS,
    MISBEHAVE_OPEN_CONNECT, /* of ETSI 004, in the order of enum metric_call004 */
    MISBEHAVE_GET_KEY,
    MISBEHAVE_CLOSE,
    MISBEHAVE_CALL_COUNT
};

enum misbehave_api { MISBEHAVE_014, MISBEHAVE_004, MISBEHAVE_EITHER };

struct misbehave_rule {
    enum misbehave_kind kind;           /* MISBEHAVE_KIND_COUNT while it is not given */
    char sae[ETSI014_ID_MAX_CHARS + 1]; /* "": every SAE of this site */
    enum misbehave_api api;
    enum misbehave_call method; /* MISBEHAVE_CALL_COUNT: all that the kind is about */
    int64_t min_ms, max_ms;     /* of a delay */
    int64_t code;               /* of an error: HTTP status, or status of ETSI 004 */
    int64_t one_in, percent;    /* how often; one of them is 0 */
    unsigned calls;             /* set of 1 << enum misbehave_call; by misbehave_rule_finish */
};

void misbehave_rule_init(struct misbehave_rule *rule);

/* One member: "kind", "sae", "api", "method" are texts, "ms", "min_ms", "max_ms", "code", "one_in"
 * and "percent" numbers. False, and *status (OUTCOME_INPUT), for any other name, or value. */
bool misbehave_rule_text(struct misbehave_rule *rule, const char *name, const char *text,
                         struct status *status);
bool misbehave_rule_number(struct misbehave_rule *rule, const char *name, int64_t number,
                           struct status *status);

/* What no member shows by itself: whether the rule makes sense as a whole. */
bool misbehave_rule_finish(struct misbehave_rule *rule, struct status *status);

/* The members that were given, in a fixed order, through either function. */
void misbehave_rule_visit(const struct misbehave_rule *rule,
                          void (*text)(void *arg, const char *name, const char *text),
                          void (*number)(void *arg, const char *name, int64_t number), void *arg);

/* Appends "kind=delay sae=alice min_ms=5 …", for the log. */
void misbehave_rule_describe(const struct misbehave_rule *rule, struct buf *text);

#endif
