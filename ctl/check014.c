/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check014.h"

#include <openssl/crypto.h>

static const struct check rows[] = {
    {"S14.05", "status has its 11 members with the right types", "6.1", CHECK_REQUIRED, 0,
     check_s14_05, NULL},
    {"S14.06", "status names the caller as master and the SAE of the path as slave", "6.1",
     CHECK_REQUIRED, 0, check_s14_06, NULL},
};

/* For a key server whose status does not say. */
static const struct etsi014_status guesses = {
    .key_size_bits = 256,
    .stored_key_count = 1,
    .max_key_count = 1,
    .max_key_per_request = 1,
    .max_key_size_bits = 256,
    .min_key_size_bits = 256,
};

static void read_limits(struct check_run *run)
{
    struct check014 *state = check014_of(run);
    struct check_report ignored = {.result = CHECK_PASSED};

    state->limits_known = status014_get(run, &ignored, &state->limits);
    if (!state->limits_known)
        state->limits = guesses;
}

static void end(struct check_run *run)
{
    struct check014 *state = run->state;

    for (enum check_end i = 0; i < CHECK_END_COUNT; i++)
        https_close(&state->ends[i]);
    OPENSSL_free(state);
    run->state = NULL;
}

/* A key server that cannot be reached at all is no matter of checks. */
static bool begin(struct check_run *run, struct status *status)
{
    struct check014 *state = OPENSSL_zalloc(sizeof(*state));

    if (state == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory");
    run->state = state;
    for (enum check_end i = 0; i < CHECK_END_COUNT; i++)
        https_init(&state->ends[i],
                   run->settings[i] != NULL ? settings_endpoint(run->settings[i]) : NULL);
    for (enum check_end i = 0; i < CHECK_END_COUNT; i++) {
        struct deadline deadline = deadline_in_ms(run->choices.timeout_ms);

        if (run->settings[i] != NULL && !https_open(&state->ends[i], &deadline, status)) {
            end(run);
            return false;
        }
    }
    read_limits(run);
    return true;
}

const struct check_table check_table_014 = {
    .api = ENDPOINT_ETSI014,
    .api_text = "014",
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .begin = begin,
    .end = end,
};
