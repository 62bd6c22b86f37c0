/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One decreasing time budget for a whole operation, on the monotonic clock. Whoever starts
 * an operation makes the deadline; everything below it only asks how much is left.
 */
#ifndef QKD_BASE_DEADLINE_H
#define QKD_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

struct deadline {
    int64_t at_ns;
};

/* Nanoseconds of the monotonic clock. */
int64_t monotonic_ns(void);

struct deadline deadline_in_ms(int64_t from_now_ms);

/* What is left, rounded up to whole milliseconds; 0 when nothing is. */
int deadline_left_ms(const struct deadline *deadline);
bool deadline_passed(const struct deadline *deadline);

#endif
