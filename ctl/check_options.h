/* SPDX-License-Identifier: Apache-2.0 */
/* The options of "qkdctl check-kme", and the ends of a run that they name. */
#ifndef QKD_CTL_CHECK_OPTIONS_H
#define QKD_CTL_CHECK_OPTIONS_H

#include "ctl/check.h"

struct check_options {
    const char *api, *lab_dir, *dialect;
    bool list, reverse;
    struct check_choices choices;
    const struct check_table *table; /* by api */
    /* By end and setting; NULL = not given. What a laboratory fills in points below. */
    const char *values[CHECK_END_COUNT][SETTING_COUNT];
    struct lab lab;
    char lab_cert[CHECK_END_COUNT][PATH_MAX];
    char lab_key[CHECK_END_COUNT][PATH_MAX];
    char lab_ca[PATH_MAX];
    char lab_url[CHECK_END_COUNT][64];
};

/* False is a wrong call. */
bool check_options_parse(int argc, char **argv, struct check_options *options,
                         struct status *status);

/* Makes the ends; no network. `options` must outlive the run. On false nothing is left. */
bool check_run_open(struct check_options *options, struct check_run *run, struct status *status);
void check_run_close(struct check_run *run);

#endif
