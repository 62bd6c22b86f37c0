/* SPDX-License-Identifier: Apache-2.0 */
/* What "qkdctl check-kme" prints: a line for each check as it ends, or one JSON object. */
#ifndef QKD_CTL_CHECK_PRINT_H
#define QKD_CTL_CHECK_PRINT_H

#include <jansson.h>

#include "ctl/check.h"

struct check_print {
    json_t *checks; /* NULL when the lines are for people */
};

void check_print_begin(struct check_print *print, const struct check_run *run);
void check_print_one(struct check_print *print, const struct check *check,
                     const struct check_report *report);

/* The summary. False when it cannot be written. Frees what print holds. */
bool check_print_end(struct check_print *print, const struct check_run *run, struct status *status);

#endif
