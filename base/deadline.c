/* SPDX-License-Identifier: Apache-2.0 */
#include "base/deadline.h"

#include <limits.h>
#include <time.h>

enum { NS_PER_MS = 1000000 };

int64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

struct deadline deadline_in_ms(int64_t from_now_ms)
{
    struct deadline deadline = {monotonic_ns() + from_now_ms * NS_PER_MS};

    return deadline;
}

int deadline_left_ms(const struct deadline *deadline)
{
    int64_t left_ns = deadline->at_ns - monotonic_ns();
    int64_t left_ms = (left_ns + NS_PER_MS - 1) / NS_PER_MS;

    if (left_ns <= 0)
        return 0;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

bool deadline_passed(const struct deadline *deadline)
{
    return deadline_left_ms(deadline) == 0;
}
