/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that talk to key servers and to TLS peers. */
#include "ctl/doctor.h"

const struct doctor_step_table doctor_steps_net = {0, NULL};
