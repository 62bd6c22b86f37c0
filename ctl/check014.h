/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks of ETSI GS QKD 014 share: calls, what is expected of answers, keys. */
#ifndef QKD_CTL_CHECK014_H
#define QKD_CTL_CHECK014_H

#include "ctl/check.h"
#include "ctl/check_http.h"
#include "etsi/etsi014.h"

enum { CHECK014_TEXT_BYTES = 2048, CHECK014_SEEN_MAX = 4096 };

struct check014 {
    struct https ends[CHECK_END_COUNT];
    bool limits_known;
    struct etsi014_status limits; /* what status said before the first check, or our guesses */
    size_t seen_count;            /* key IDs that enc_keys delivered in this run */
    struct key_id seen[CHECK014_SEEN_MAX];
};

static inline struct check014 *check014_of(const struct check_run *run)
{
    return run->state;
}

/* One call of an SAE: /api/v1/keys/{peer}/METHOD{query}. */
struct call014 {
    enum check_end end;
    const char *method; /* "status", "enc_keys", "dec_keys" */
    const char *peer;   /* as it stands in the path; NULL = the SAE ID that belongs there */
    const char *query;  /* with its '?'; NULL = none */
    const char *body;   /* text; NULL = none */
    const char *verb;   /* NULL = GET without a body, POST with one */
    const char *fields, *content_type; /* as in struct ask */
};

/* Writes the path of a call, NUL-terminated; empty when it is too long. */
void call014_path(const struct check_run *run, const struct call014 *call,
                  char path[static CHECK014_TEXT_BYTES]);

/* Asks, and waits for the answer, which the caller frees in any case. False: the check has failed,
 * since there was none. */
bool call014(struct check_run *run, struct check_report *report, const struct call014 *call,
             struct answer *answer);

/* What came, in a few words, without key octets. */
struct answer_text {
    char text[160];
};
struct answer_text answer_text(const struct answer *answer);

/* Whether the answer has this code; `what` was asked. */
bool expect_code(struct check_report *report, const char *what, const struct answer *answer,
                 int code);

/* Whether it is a refusal as clause 6.5 has it: the code, JSON, an Error object with this message
 * (NULL = any). */
bool expect_refusal(struct check_report *report, const char *what, const struct answer *answer,
                    int code, const char *message);

/* Calls, and expects that. */
bool call014_refused(struct check_run *run, struct check_report *report, const char *what,
                     const struct call014 *call, int code, const char *message);

/* Reads a Status object as the standard has it; false: the check has failed. */
bool status014_get(struct check_run *run, struct check_report *report,
                   struct etsi014_status *value);

void check_s14_05(struct check_run *run, struct check_report *report);
void check_s14_06(struct check_run *run, struct check_report *report);

#endif
