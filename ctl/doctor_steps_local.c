/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/doctor_steps.h"

static const struct doctor_step rows[] = {
    {DOCTOR_FILE, 0, "file", "the file that OpenSSL reads", doctor_file},
};

const struct doctor_step_table doctor_steps_local = {sizeof(rows) / sizeof(rows[0]), rows};
