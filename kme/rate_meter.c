/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/rate_meter.h"

#define NS_PER_S INT64_C(1000000000)

void rate_meter_sample(struct rate_meter *meter, int64_t now_ns, uint64_t value)
{
    meter->newest = (meter->newest + 1) % RATE_METER_SAMPLES;
    meter->samples[meter->newest].at_ns = now_ns;
    meter->samples[meter->newest].value = value;
    if (meter->count < RATE_METER_SAMPLES)
        meter->count++;
}

int64_t rate_meter_per_s(const struct rate_meter *meter)
{
    size_t oldest = (meter->newest + RATE_METER_SAMPLES + 1 - meter->count) % RATE_METER_SAMPLES;
    int64_t time_ns = meter->samples[meter->newest].at_ns - meter->samples[oldest].at_ns;
    double growth = (double)(meter->samples[meter->newest].value - meter->samples[oldest].value);

    return meter->count < 2 || time_ns <= 0
               ? 0
               : (int64_t)(growth / (double)time_ns * (double)NS_PER_S);
}
