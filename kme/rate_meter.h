/* SPDX-License-Identifier: Apache-2.0 */
/* How fast a counter has grown over the last ten seconds or so. All zeros starts it. Pure. */
#ifndef QKD_KME_RATE_METER_H
#define QKD_KME_RATE_METER_H

#include <stddef.h>
#include <stdint.h>

enum { RATE_METER_SAMPLES = 11 };

struct rate_meter {
    struct {
        int64_t at_ns;
        uint64_t value;
    } samples[RATE_METER_SAMPLES];
    size_t newest, count;
};

/* The counter as it is now; about once a second. */
void rate_meter_sample(struct rate_meter *meter, int64_t now_ns, uint64_t value);

/* Per second, between the oldest and the newest sample; 0 before there are two. */
int64_t rate_meter_per_s(const struct rate_meter *meter);

#endif
