/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_OK] = "ok",
    [OUTCOME_CONFIG] = "config",
    [OUTCOME_INPUT] = "input",
    [OUTCOME_PEER] = "peer",
    [OUTCOME_KME] = "kme",
    [OUTCOME_TIMEOUT] = "timeout",
    [OUTCOME_EXHAUSTED] = "exhausted",
    [OUTCOME_LIMIT] = "limit",
    [OUTCOME_INTERNAL] = "internal",
};

const char *outcome_name(enum outcome outcome)
{
    return (unsigned)outcome < OUTCOME_COUNT ? outcome_names[outcome] : "unknown";
}

static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
}

bool status_fail(struct status *status, enum outcome outcome, const char *format, ...)
{
    va_list args;

    if (status->outcome != OUTCOME_OK)
        return false;
    status->outcome = outcome;
    va_start(args, format);
    vsnprintf(status->text, sizeof(status->text), format, args);
    va_end(args);
    make_printable(status->text);
    return false;
}

bool status_prefix(struct status *status, const char *format, ...)
{
    char prefix[STATUS_TEXT_BYTES], whole[2 * STATUS_TEXT_BYTES + 2];
    va_list args;

    va_start(args, format);
    vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    snprintf(whole, sizeof(whole), "%s: %s", prefix, status->text);
    whole[STATUS_TEXT_BYTES - 1] = '\0';
    make_printable(whole);
    memcpy(status->text, whole, strlen(whole) + 1);
    return false;
}

void status_clear(struct status *status)
{
    status->outcome = OUTCOME_OK;
    status->text[0] = '\0';
}
