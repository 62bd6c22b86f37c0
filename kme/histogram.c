/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/histogram.h"

#include <inttypes.h>

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

static const struct {
    int64_t most_ns;
    const char *le; /* the same in seconds */
} bounds[HISTOGRAM_BOUNDS] = {
    {50 * US, "0.00005"}, {100 * US, "0.0001"},  {250 * US, "0.00025"}, {500 * US, "0.0005"},
    {1 * MS, "0.001"},    {2500 * US, "0.0025"}, {5 * MS, "0.005"},     {10 * MS, "0.01"},
    {25 * MS, "0.025"},   {50 * MS, "0.05"},     {100 * MS, "0.1"},     {250 * MS, "0.25"},
    {500 * MS, "0.5"},    {1 * S, "1"},          {2500 * MS, "2.5"},    {5 * S, "5"},
    {10 * S, "10"},
};

void histogram_add(struct histogram *histogram, int64_t duration_ns)
{
    size_t i = 0;

    if (duration_ns < 0)
        duration_ns = 0;
    while (i < HISTOGRAM_BOUNDS && duration_ns > bounds[i].most_ns)
        i++;
    histogram->counts[i]++;
    histogram->sum_ns += (uint64_t)duration_ns;
}

void histogram_merge(struct histogram *histogram, const struct histogram *more)
{
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        histogram->counts[i] += more->counts[i];
    histogram->sum_ns += more->sum_ns;
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        count += histogram->counts[i];
    return count;
}

int64_t histogram_quantile_ns(const struct histogram *histogram, unsigned per_mille)
{
    uint64_t count = histogram_count(histogram), below = 0;
    uint64_t wanted = (count / 1000) * per_mille + (count % 1000 * per_mille + 999) / 1000;

    if (count == 0)
        return -1;
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        below += histogram->counts[i];
        if (below >= wanted)
            return bounds[i].most_ns;
    }
    return -1;
}

void histogram_put(const struct histogram *histogram, const char *name, const char *labels,
                   struct buf *buf)
{
    uint64_t count = 0;

    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += histogram->counts[i];
        buf_put_format(buf, "%s_bucket{%s,le=\"%s\"} %" PRIu64 "\n", name, labels, bounds[i].le,
                       count);
    }
    count += histogram->counts[HISTOGRAM_BOUNDS];
    buf_put_format(buf, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, labels, count);
    buf_put_format(buf, "%s_sum{%s} %" PRIu64 ".%09" PRIu64 "\n", name, labels,
                   histogram->sum_ns / (uint64_t)S, histogram->sum_ns % (uint64_t)S);
    buf_put_format(buf, "%s_count{%s} %" PRIu64 "\n", name, labels, count);
}
