/* SPDX-License-Identifier: Apache-2.0 */
/* Reads single figures out of Prometheus text. */
#ifndef QKD_CTL_METRICS_H
#define QKD_CTL_METRICS_H

#include <stdbool.h>

/* The sum of a metric over all its label sets that contain `label` (for example
 * role="initiator"; "" for all of them). *found tells whether any was there; without, 0. */
double metrics_sum(const char *text, const char *name, const char *label, bool *found);

#endif
