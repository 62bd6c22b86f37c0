/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one enum of outcomes, each with a sentence.
 *
 * Every function of this project that can fail for a reason worth telling takes a
 * struct status. It returns true and leaves the status alone, or returns false after
 * filling it in. The first failure is the one that is kept: status_fail() on a status
 * that already failed does nothing, so that clean-up code cannot hide the cause.
 * A status never holds key octets. Not shared between threads.
 */
#ifndef QKD_BASE_STATUS_H
#define QKD_BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>

enum outcome {
    OUTCOME_OK = 0,
    OUTCOME_CONFIG,    /* a setting or a file named by one is wrong: the administrator's to mend */
    OUTCOME_INPUT,     /* a caller on this machine asked for something impossible */
    OUTCOME_PEER,      /* the other end of the TLS connection sent something wrong */
    OUTCOME_KME,       /* the key server could not be reached, or answered no */
    OUTCOME_TIMEOUT,   /* the time budget was spent while waiting for the key server */
    OUTCOME_EXHAUSTED, /* the key server has no key material at the moment */
    OUTCOME_LIMIT,     /* a limit of our own, so that the key server was not asked */
    OUTCOME_INTERNAL,  /* out of memory, or a defect of ours */
    OUTCOME_COUNT
};

enum { STATUS_TEXT_BYTES = 512 };

struct status {
    enum outcome outcome;
    char text[STATUS_TEXT_BYTES]; /* one sentence without a full stop, NUL-terminated, printable */
};

#define STATUS_INIT                                                                                \
    {                                                                                              \
        OUTCOME_OK, ""                                                                             \
    }

/* The word for an outcome, for logs and metrics; never NULL. */
const char *outcome_name(enum outcome outcome);

/* Records the failure unless one is recorded already; always returns false. Octets of the
 * formatted text that are not printable ASCII become '?'; what is too long is cut. */
bool status_fail(struct status *status, enum outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "WHAT: " before the sentence of a failed status; returns false. */
bool status_prefix(struct status *status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void status_clear(struct status *status);

#endif
