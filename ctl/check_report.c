/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "ctl/check.h"

__attribute__((format(printf, 3, 0))) static void
say(struct check_report *report, enum check_result result, const char *format, va_list args)
{
    char text[STATUS_TEXT_BYTES];

    if (report->result != CHECK_PASSED)
        return;
    vsnprintf(text, sizeof(text), format, args);
    status_clear(&report->text);
    status_fail(&report->text, OUTCOME_KME, "%s", text);
    report->result = result;
}

bool check_fail(struct check_report *report, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(report, CHECK_FAILED, format, args);
    va_end(args);
    return false;
}

bool check_skip(struct check_report *report, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(report, CHECK_SKIPPED, format, args);
    va_end(args);
    return false;
}

bool check_broke(struct check_report *report, const struct status *status)
{
    return check_fail(report, "%s", status->text);
}

void check_note(struct check_report *report, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(report, CHECK_PASSED, format, args);
    va_end(args);
}

bool check_advise(const struct check_run *run, struct check_report *report, const char *format, ...)
{
    bool failed = !run->choices.required_only;
    va_list args;

    va_start(args, format);
    say(report, failed ? CHECK_FAILED : CHECK_PASSED, format, args);
    va_end(args);
    return !failed;
}

void check_deviation(struct check_report *report, unsigned number)
{
    report->deviations |= UINT64_C(1) << number;
}
