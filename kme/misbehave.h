/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of misbehaviour that are in force, and whose turn it is. Without a rule a question
 * costs one comparison. server.c owns the set; the configuration and the admin side write to it.
 */
#ifndef QKD_KME_MISBEHAVE_H
#define QKD_KME_MISBEHAVE_H

#include <sys/time.h>

#include <jansson.h>

#include "base/log.h"
#include "kme/misbehave_rule.h"

enum { MISBEHAVE_RULES_MAX = 64, MISBEHAVE_REQUEST_MAX_BYTES = 4096 };

struct misbehave_active {
    struct misbehave_rule rule;
    int64_t number;    /* names it; never used again */
    bool from_file;    /* from the configuration; else from the admin side */
    uint64_t asked;    /* calls (or keys, of a flip) that it was about */
    uint64_t happened; /* of these, those that it changed */
};

struct misbehave {
    struct misbehave_active items[MISBEHAVE_RULES_MAX];
    size_t count;
    int64_t last_number;
    uint64_t happened[MISBEHAVE_KIND_COUNT]; /* since the start */
};

/* The rule that is to act on this call of an SAE now; NULL if none is. Counts; one in n is the
 * n-th, the 2n-th and so on of those that the rule is about. A NULL set has no rules. */
const struct misbehave_rule *misbehave_now(struct misbehave *set, enum misbehave_kind kind,
                                           const char *sae, enum misbehave_call call);

/* Whether there is any rule. */
static inline bool misbehave_any(const struct misbehave *set)
{
    return set != NULL && set->count > 0;
}

/* How long a rule of kind delay delays this time. */
struct timeval misbehave_delay(const struct misbehave_rule *rule);

/* The rules of the configuration in place of those that it had before; logged. */
void misbehave_load(struct misbehave *set, const struct misbehave_rule *rules, size_t count,
                    const struct log *log);

/* What the admin side was told. */
struct misbehave_request {
    enum { MISBEHAVE_SET, MISBEHAVE_CLEAR } what;
    struct misbehave_rule rule; /* to set */
    int64_t number;             /* of the rule to clear; 0: all */
};

/* Reads {"set": RULE}, {"clear": NUMBER} or {"clear": "all"}. Pure. *status: OUTCOME_INPUT. */
bool misbehave_request_parse(const void *json, size_t length, struct misbehave_request *request,
                             struct status *status);

/* Does it, and logs it. False when there are too many rules, or none of that number. */
bool misbehave_request_apply(struct misbehave *set, const struct misbehave_request *request,
                             const struct log *log, struct status *status);

/* An array of objects: the members of each rule, "rule" (its number), "origin" ("configuration" or
 * "admin"), "asked" and "happened". NULL when out of memory; the caller owns it. */
json_t *misbehave_json(const struct misbehave *set);

/* qkd_kme_misbehaved_total{kind}, and how many rules there are. */
void misbehave_put_metrics(const struct misbehave *set, struct buf *buf);

#endif
