/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/policy004.h"

#include <string.h>

enum { MARGIN_MS = 250 };

/* The first one is the standard's. */
static const struct policy004 policies[] = {
    {.name = "strict"},
    {.name = "qubip",
     .opens_at_once = true,
     .opens_with_proposal = true,
     .timeout_0_is_now = true,
     .repeats_positions = true,
     .reads_alone = true,
     .reopens = true,
     .max_wait_ms = 4500},
};

const struct policy004 *policy004_of(const struct kme_config *config)
{
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        if (strcmp(policies[i].name, config->etsi004.compat) == 0)
            return &policies[i];
    return &policies[0];
}

int policy004_wait_ms(const struct policy004 *policy, uint32_t timeout_ms)
{
    uint32_t wait_ms = timeout_ms / 2;

    if (timeout_ms > 2 * MARGIN_MS)
        wait_ms = timeout_ms - MARGIN_MS;
    if (policy->max_wait_ms > 0 && wait_ms > (uint32_t)policy->max_wait_ms)
        return policy->max_wait_ms;
    return (int)wait_ms;
}
