/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long things took, in fixed buckets from 50 microseconds to 10 seconds, as a Prometheus
 * histogram. Adding is one search in a short table. Pure.
 */
#ifndef QKD_KME_HISTOGRAM_H
#define QKD_KME_HISTOGRAM_H

#include <stdint.h>

#include "base/buf.h"

enum { HISTOGRAM_BOUNDS = 17 };

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* the last one: longer than every bound */
    uint64_t sum_ns;
};

void histogram_add(struct histogram *histogram, int64_t duration_ns);

/* Adds what is in another one. */
void histogram_merge(struct histogram *histogram, const struct histogram *more);

uint64_t histogram_count(const struct histogram *histogram);

/* An upper bound of the time that `per_mille` of 1000 stayed below, as exact as the buckets are;
 * -1 when it is beyond all bounds, or nothing was added. */
int64_t histogram_quantile_ns(const struct histogram *histogram, unsigned per_mille);

/* Appends NAME_bucket, NAME_sum and NAME_count; `labels` is of the form a="b",c="d". */
void histogram_put(const struct histogram *histogram, const char *name, const char *labels,
                   struct buf *buf);

#endif
