/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks of ETSI GS QKD 014 share: calls, what is expected of answers, keys. */
#ifndef QKD_CTL_CHECK014_H
#define QKD_CTL_CHECK014_H

#include "ctl/check.h"
#include "ctl/check_http.h"
#include "etsi/etsi014.h"

enum {
    CHECK014_PATH_BYTES = 2048,
    CHECK014_BODY_BYTES = 16384,
    CHECK014_SEEN_MAX = 4096 /* key IDs that are remembered; a run takes a few hundred */
};

struct check014 {
    struct https ends[CHECK_END_COUNT];
    int last_code; /* of the newest answer; 0 = none came */
    bool slash;    /* it knows its paths only with a slash at their end */
    bool limits_known;
    struct etsi014_status limits; /* what status said before the first check, or our guesses */
    size_t seen_count;            /* key IDs that enc_keys delivered in this run */
    struct key_id seen[CHECK014_SEEN_MAX];
    bool claimed[CHECK014_SEEN_MAX];
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
                  char path[static CHECK014_PATH_BYTES]);

/* Writes an SAE ID as one segment of a path; `all` percent-encodes letters and digits, too. */
void put_segment014(struct buf *path, const char *sae, bool all);

/* Asks, and waits for the answer, which the caller frees in any case. False: the check has failed,
 * since there was none. */
bool call014(struct check_run *run, struct check_report *report, const struct call014 *call,
             struct answer *answer);

/* What came, in a few words, without key octets. */
struct answer_text {
    char text[160];
};
struct answer_text answer_text(const struct answer *answer);

/* Whether a body may hold keys. */
bool answer_has_keys(const struct answer *answer);

/* Whether the answer has this code; `what` was asked. */
bool expect_code(struct check_report *report, const char *what, const struct answer *answer,
                 int code);

/* Whether the body is an Error object of clause 6.5, sent as JSON, with this message (NULL = any).
 */
bool expect_error(struct check_report *report, const char *what, const struct answer *answer,
                  const char *message);

/* Whether it is 401 without a key. */
bool expect_unauthorised(struct check_report *report, const char *what,
                         const struct answer *answer);

/* Calls, and expects that code; with a message (not NULL) also an Error object that has it. */
bool call014_refused(struct check_run *run, struct check_report *report, const char *what,
                     const struct call014 *call, int code, const char *message);

/* Calls with a verb that must not be used there: 405 with Allow (RFC 9110 section 15.5.6). */
bool call014_not_allowed(struct check_run *run, struct check_report *report,
                         const struct call014 *call);

/* As call014_refused, and by status before and after no key was consumed. */
bool call014_refused_free(struct check_run *run, struct check_report *report, const char *what,
                          const struct call014 *call, int code, const char *message);

/* Reads a Status object as the standard has it; false: the check has failed. */
bool status014_get(struct check_run *run, struct check_report *report,
                   struct etsi014_status *value);

/* Keys that were delivered, with the answer they came in (which holds none any more). */
struct keys014 {
    struct answer answer;
    struct etsi014_container container;
};

void keys014_free(struct keys014 *keys);

/* A call that must deliver so many keys of such a size (0 = any); freed by the caller in any case.
 * Waits within the run's time limit while there are no keys, or while the responder's key server
 * does not know them yet. */
bool keys014_get(struct check_run *run, struct check_report *report, const char *what,
                 const struct call014 *call, size_t number, int64_t size_bits,
                 struct keys014 *keys);

/* A size near the one wished that the key server serves. */
int64_t size014(const struct check_run *run, int64_t wish_bits);
/* A number of keys, at most the one wished, that it delivers at once. */
size_t number014(const struct check_run *run, size_t wish);

/* The initiator reserves keys for the responder, or for the SAE `peer` as it stands in a path. */
bool reserve014(struct check_run *run, struct check_report *report, const char *peer, size_t number,
                int64_t size_bits, struct keys014 *keys);

/* Remembers keys that an initiator was given; false: one of them was delivered before. */
bool seen014(struct check_run *run, struct check_report *report,
             const struct etsi014_container *container);

/* The responder claims what was reserved and left, so that no key waits for it in vain. */
void clean_up014(struct check_run *run);

/* IDs of a claim. */
struct ids014 {
    size_t count;
    struct key_id ids[ETSI014_KEYS_MAX + 1];
};
struct ids014 ids014_of(const struct keys014 *keys);
void ids014_add_unknown(struct ids014 *ids);

/* The body of a claim, NUL-terminated; the caller frees the buffer. */
const char *ids014_body(const struct ids014 *ids, struct buf *body);

/* An end claims keys that were reserved, and must get the same octets, in any order. */
bool claim014(struct check_run *run, struct check_report *report, enum check_end end,
              const struct keys014 *reserved, struct keys014 *claimed);
/* The same, and nobody looks at them further. */
bool claim014_all(struct check_run *run, struct check_report *report, enum check_end end,
                  const struct keys014 *reserved);

/* An end claims, and is refused: with this code and message, or with 401. */
bool claim014_refused(struct check_run *run, struct check_report *report, const char *what,
                      enum check_end end, const char *peer, const struct ids014 *ids, int code,
                      const char *message);

/* clang-format off */
#define CHECKS014(X) \
    X(01) X(02) X(03) X(04) X(05) X(06) X(07) X(08) X(09) X(10) X(11) X(12) X(13) X(14) X(15) \
    X(16) X(17) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) \
    X(32) X(33) X(34) X(35) X(36) X(37) X(38) X(39) X(40) X(41) X(42) X(43) X(44) X(45) X(46) \
    X(47)
#define X(number) void check_s14_##number(struct check_run *run, struct check_report *report);
CHECKS014(X)
#undef X
/* clang-format on */

#endif
