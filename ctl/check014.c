/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check014.h"

#include <openssl/crypto.h>

static const struct check rows[] = {
    {"S14.01", "refuses TLS below 1.2, and speaks 1.2 or newer", "5.1", CHECK_REQUIRED, 0,
     check_s14_01, NULL},
    {"S14.02", "refuses clients without a certificate, or with one that it must not trust", "5.1",
     CHECK_REQUIRED, 0, check_s14_02, NULL},
    {"S14.03", "takes the SAE ID from the certificate, whatever the header says", "5.1",
     CHECK_REQUIRED, 0, check_s14_03, NULL},
    {"S14.04", "refuses a certificate that is not that of exactly one SAE", "5.1", CHECK_REQUIRED,
     CHECK_NEEDS_LAB, check_s14_04, NULL},
    {"S14.05", "status has its 11 members with the right types", "6.1", CHECK_REQUIRED, 0,
     check_s14_05, NULL},
    {"S14.06", "status names the caller as master and the SAE of the path as slave", "6.1",
     CHECK_REQUIRED, 0, check_s14_06, NULL},
    {"S14.07", "the numbers of status are in order", "6.1", CHECK_REQUIRED, 0, check_s14_07, NULL},
    {"S14.08", "POST on status is 405 with Allow", "5.2", CHECK_RECOMMENDED, 0, check_s14_08, NULL},
    {"S14.09", "GET enc_keys delivers one key of the default size", "6.2", CHECK_REQUIRED, 0,
     check_s14_09, NULL},
    {"S14.10", "GET enc_keys delivers the number and size of its query", "6.2", CHECK_REQUIRED, 0,
     check_s14_10, NULL},
    {"S14.11", "POST enc_keys of {} or nothing delivers one key of the default size", "6.2",
     CHECK_REQUIRED, 0, check_s14_11, NULL},
    {"S14.12", "POST enc_keys delivers the number and size of its body", "6.2", CHECK_REQUIRED, 0,
     check_s14_12, NULL},
    {"S14.13", "key IDs are UUIDs in lower case, never twice, not made of the key", "6.3",
     CHECK_REQUIRED, 0, check_s14_13, NULL},
    {"S14.14", "keys are padded base64 of as many octets as were asked for", "6.3", CHECK_REQUIRED,
     0, check_s14_14, NULL},
    {"S14.15", "a number that cannot be is 400", "6.2", CHECK_REQUIRED, 0, check_s14_15, NULL},
    {"S14.16", "a size that cannot be is 400, with the fixed message for odd bits", "5.3",
     CHECK_REQUIRED, 0, check_s14_16, NULL},
    {"S14.17", "an unknown mandatory extension is 400 with the fixed message, and costs no key",
     "5.3", CHECK_REQUIRED, 0, check_s14_17, NULL},
    {"S14.18", "a mandatory extension that cannot be met is 400 with the fixed message", "5.3",
     CHECK_REQUIRED, 0, NULL,
     "the standard names no extension that a key server could know but not meet"},
    {"S14.19", "an unknown optional extension is ignored, or refused with the fixed message", "5.3",
     CHECK_REQUIRED, 0, check_s14_19, NULL},
    {"S14.20", "empty arrays of extensions and slaves are taken", "6.2", CHECK_RECOMMENDED, 0,
     check_s14_20, NULL},
    {"S14.21", "more additional slaves than max_SAE_ID_count are 400 and cost no key", "6.2",
     CHECK_REQUIRED, 0, check_s14_21, NULL},
    {"S14.22", "additional slaves that are empty, twice, the caller or the slave are 400", "6.2",
     CHECK_RECOMMENDED, 0, check_s14_22, NULL},
    {"S14.23", "an unknown SAE, or the caller itself, as slave is 400", "5.3", CHECK_RECOMMENDED, 0,
     check_s14_23, NULL},
    {"S14.24", "too few keys are 503 with Retry-After, cost none, and bring none", "5.3",
     CHECK_RECOMMENDED, 0, check_s14_24, NULL},
    {"S14.25", "stored_key_count falls by what enc_keys delivers", "5.3", CHECK_REQUIRED, 0,
     check_s14_25, NULL},
    {"S14.26", "dec_keys delivers the same octets for the same IDs, in the order asked", "5.4",
     CHECK_REQUIRED, 0, check_s14_26, NULL},
    {"S14.27", "GET dec_keys takes one key_ID, and needs it", "6.4", CHECK_REQUIRED, 0,
     check_s14_27, NULL},
    {"S14.28", "a claim by another SAE is 401, and the key stays for its slave", "5.4",
     CHECK_REQUIRED, 0, check_s14_28, NULL},
    {"S14.29", "one ID of another SAE makes a batch 401, and nothing is consumed", "5.4",
     CHECK_REQUIRED, CHECK_NEEDS_STRANGER, check_s14_29, NULL},
    {"S14.30", "one unknown ID makes a batch 400, and nothing is consumed", "5.4", CHECK_REQUIRED,
     0, check_s14_30, NULL},
    {"S14.31", "a second claim of a key is 400 with the fixed message", "5.4", CHECK_REQUIRED, 0,
     check_s14_31, NULL},
    {"S14.32", "of claims of one key at the same time exactly one succeeds", "5.4", CHECK_REQUIRED,
     0, check_s14_32, NULL},
    {"S14.33", "under another master's name a key is never delivered", "5.4", CHECK_RECOMMENDED, 0,
     check_s14_33, NULL},
    {"S14.34", "a malformed key ID is 400, and one in upper case is found", "6.4", CHECK_REQUIRED,
     0, check_s14_34, NULL},
    {"S14.35", "a key ID twice in one claim is 400, and the key stays", "6.4", CHECK_RECOMMENDED, 0,
     check_s14_35, NULL},
    {"S14.36", "more key IDs than max_key_per_request are 400, and the keys stay", "6.4",
     CHECK_RECOMMENDED, 0, check_s14_36, NULL},
    {"S14.37", "key IDs that are not objects are 400, and the key stays", "6.4", CHECK_RECOMMENDED,
     0, check_s14_37, NULL},
    {"S14.38", "of a key for several slaves each gets the same octets, once", "6.2", CHECK_REQUIRED,
     CHECK_NEEDS_STRANGER, check_s14_38, NULL},
    {"S14.39", "unknown JSON members are ignored, and members that come twice refused", "6",
     CHECK_RECOMMENDED, 0, check_s14_39, NULL},
    {"S14.40", "JSON that is broken or of another shape is 400, and the connection stays", "5.1",
     CHECK_REQUIRED, 0, check_s14_40, NULL},
    {"S14.41", "unknown paths are 404, other methods 405, too large bodies 413", "5.1",
     CHECK_RECOMMENDED, 0, check_s14_41, NULL},
    {"S14.42", "errors are Error objects, and 401 has no body", "6.5", CHECK_REQUIRED, 0,
     check_s14_42, NULL},
    {"S14.43", "SAE IDs are percent-decoded once and compared octet by octet", "5.1",
     CHECK_REQUIRED, 0, check_s14_43, NULL},
    {"S14.44", "kept connections, pipelines, chunked bodies and Expect work", "4", CHECK_REQUIRED,
     0, check_s14_44, NULL},
    {"S14.45", "answers may not be stored, and logs hold no key", "4", CHECK_RECOMMENDED, 0,
     check_s14_45, NULL},
    {"S14.46", "what was delivered before a crash is not delivered after it", "5.4", CHECK_REQUIRED,
     CHECK_NEEDS_LAB | CHECK_NEEDS_RESTART, check_s14_46, NULL},
    {"S14.47", "a key can be claimed as soon as the initiator has it", "5.4", CHECK_RECOMMENDED, 0,
     check_s14_47, NULL},
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
    if (!state->limits_known) {
        state->slash = true;
        state->limits_known = status014_get(run, &ignored, &state->limits);
        state->slash = state->limits_known;
    }
    if (!state->limits_known)
        state->limits = guesses;
}

static void free_state(struct check_run *run)
{
    struct check014 *state = run->state;

    for (enum check_end i = 0; i < CHECK_END_COUNT; i++)
        https_close(&state->ends[i]);
    OPENSSL_free(state);
    run->state = NULL;
}

static void end_run(struct check_run *run)
{
    clean_up014(run);
    free_state(run);
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
            free_state(run);
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
    .end = end_run,
};
