/* SPDX-License-Identifier: Apache-2.0 */
/* Reads single figures out of Prometheus text. */
#ifndef QKD_CTL_METRICS_H
#define QKD_CTL_METRICS_H

#include <stdbool.h>
#include <stddef.h>

/* The sum of a metric over all its label sets that contain `label` (for example
 * role="initiator"; "" for all of them). *found tells whether any was there; without, 0. */
double metrics_sum(const char *text, const char *name, const char *label, bool *found);

/* Sample number `place` of a metric, counted from 0: its value, and what it has for a label that
 * all samples begin with (for example state). False when there are not so many, or the text of
 * the label does not fit. */
bool metrics_sample(const char *text, const char *name, const char *label, size_t place,
                    char *label_text, size_t label_text_size, double *value);

#endif
