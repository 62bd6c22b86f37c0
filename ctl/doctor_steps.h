/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that need no network, one file each. */
#ifndef QKD_CTL_DOCTOR_STEPS_H
#define QKD_CTL_DOCTOR_STEPS_H

#include "ctl/doctor.h"

/* Where the lines above the first section are. */
#define DOCTOR_CONF_TOP "default"

/* What the file says in this very section; NULL when it has no such section or line. No error
 * stays behind in OpenSSL's queue. */
const char *doctor_conf(const struct doctor *doctor, const char *section, const char *name);

/* Sets path and conf; init_section when the file has one that exists. */
void doctor_file(struct doctor *doctor);

#endif
