/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of "qkdctl misbehave". */
#ifndef QKD_CTL_MISBEHAVE_H
#define QKD_CTL_MISBEHAVE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/status.h"

/* Prints what /misbehave of the admin side answered: a table, or the JSON as it came. */
bool misbehave_print(const struct buf *answer, bool json, struct status *status);

#endif
