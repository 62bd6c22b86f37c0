/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of a key server from outside: each is a row of a table, with what it proves, by which
 * clause, and a function that proves it. The runner goes through a table, prints a line for each
 * check, and counts.
 */
#ifndef QKD_CTL_CHECK_H
#define QKD_CTL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "ctl/lab.h"
#include "keys/settings.h"

/* Who asks; each has an SAE ID and a certificate of its own. */
enum check_end {
    CHECK_INITIATOR,
    CHECK_RESPONDER,
    CHECK_STRANGER, /* an SAE at the responder's key server that is not the responder; optional */
    CHECK_END_COUNT
};

const char *check_end_text(enum check_end end);

enum check_strictness {
    CHECK_REQUIRED,   /* the standard says so */
    CHECK_RECOMMENDED /* the standard leaves it open; our strict list says so */
};

/* What a check cannot do without; without it, it is skipped and says why. */
enum check_need {
    CHECK_NEEDS_STRANGER = 1 << 0,
    CHECK_NEEDS_LAB = 1 << 1,     /* --lab: files and processes of the key servers */
    CHECK_NEEDS_RESTART = 1 << 2, /* --restart: ends key servers of the lab and starts them */
    CHECK_NEEDS_DEPLETE = 1 << 3, /* --deplete: asks for more than the store holds */
    CHECK_NEEDS_HEAVY = 1 << 4    /* --heavy: takes many connections or keys */
};

enum check_result { CHECK_PASSED, CHECK_FAILED, CHECK_SKIPPED, CHECK_RESULT_COUNT };

enum { CHECK_DEVIATIONS_MAX = 64 };

/* What one check found. It has passed unless something else is said. */
struct check_report {
    enum check_result result;
    struct status text;  /* why not, or a note beside a pass; OUTCOME_OK = none */
    uint64_t deviations; /* bit n: the known deviation Dn was recognised */
};

struct check_run;

struct check {
    const char *id;   /* "S14.05" */
    const char *name; /* what has been proved when it passes; one line, no full stop */
    const char *clause;
    enum check_strictness strictness;
    unsigned needs; /* enum check_need */
    void (*run)(struct check_run *run, struct check_report *report);
    const char *not_from_outside; /* why there is no function; NULL when there is one */
};

struct check_table {
    enum endpoint_api api;
    const char *api_text; /* "014" */
    const struct check *rows;
    size_t count;
    /* Before the first check and after the last one; each may be NULL. begin sets run->state.
     * On false no check is run, and end is not called. */
    bool (*begin)(struct check_run *run, struct status *status);
    void (*end)(struct check_run *run);
};

extern const struct check_table check_table_014, check_table_004;

struct check_choices {
    const char *only;   /* patterns of IDs as a shell has them, with commas between; NULL = all */
    bool required_only; /* leave out what is recommended */
    bool json;
    bool restart, deplete, heavy;
    int64_t timeout_ms; /* of one exchange */
};

struct check_run {
    const struct check_table *table;
    struct check_choices choices;
    struct settings *settings[CHECK_END_COUNT]; /* the stranger's may be NULL */
    const char *values[CHECK_END_COUNT][SETTING_COUNT];
    struct lab *lab;                        /* NULL without --lab */
    enum lab_kme lab_kmes[CHECK_END_COUNT]; /* whose key server is whose, with --lab */
    void *state;                            /* of the table's begin */
    int64_t keys_consumed;
    size_t counts[CHECK_RESULT_COUNT];
};

/* The SAE ID of an end; NULL when there is no such end. */
const char *check_sae(const struct check_run *run, enum check_end end);

/* Both for use as `return check_fail(...)`. The first word counts: what comes after a failure is
 * not heard. What was expected, what came: no key octets. */
bool check_fail(struct check_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool check_skip(struct check_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A check that could not be carried out has failed; `status` says why. */
bool check_broke(struct check_report *report, const struct status *status);

/* Says something beside a pass. */
void check_note(struct check_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* For what the standard leaves open within a check of what it requires: a failure, but with
 * --required-only a note, and then true. */
bool check_advise(const struct check_run *run, struct check_report *report, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Recognises a deviation that servers in the field are known for. */
void check_deviation(struct check_report *report, unsigned number);

/* The sentence for it; NULL for a number that has none. */
const char *check_deviation_text(unsigned number);

/* Runs what the choices leave, and prints. The exit code: 0 only when nothing failed. */
bool check_table_run(struct check_run *run, struct status *status);

/* Prints the rows that the choices leave. */
bool check_table_list(const struct check_table *table, const struct check_choices *choices,
                      struct status *status);

/* Whether --only and --required-only leave this row. */
bool check_selected(const struct check *check, const struct check_choices *choices);

#endif
