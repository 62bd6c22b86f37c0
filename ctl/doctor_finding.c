/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/doctor.h"

/* What comes out of files and from servers must not steer a terminal. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

__attribute__((format(printf, 4, 0))) static void add(struct doctor *doctor,
                                                      enum finding_outcome outcome,
                                                      const char *cure, const char *format,
                                                      va_list args)
{
    enum finding_outcome *whole = &doctor->outcomes[doctor->current];
    struct finding *finding;

    if (outcome > *whole)
        *whole = outcome;
    if (doctor->finding_count == DOCTOR_FINDINGS_MAX) {
        doctor->findings_lost++;
        return;
    }
    finding = &doctor->findings[doctor->finding_count++];
    finding->step = doctor->current;
    finding->outcome = outcome;
    vsnprintf(finding->text, sizeof(finding->text), format, args);
    snprintf(finding->cure, sizeof(finding->cure), "%s", cure);
    make_printable(finding->text);
    make_printable(finding->cure);
}

void doctor_ok(struct doctor *doctor, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(doctor, FINDING_OK, "", format, args);
    va_end(args);
}

void doctor_not_tried(struct doctor *doctor, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(doctor, FINDING_NOT_TRIED, "", format, args);
    va_end(args);
}

void doctor_warn(struct doctor *doctor, const char *cure, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(doctor, FINDING_WARNING, cure, format, args);
    va_end(args);
}

void doctor_wrong(struct doctor *doctor, const char *cure, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(doctor, FINDING_WRONG, cure, format, args);
    va_end(args);
}

const char *doctor_cure(char cure[static DOCTOR_CURE_BYTES], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(cure, DOCTOR_CURE_BYTES, format, args);
    va_end(args);
    return cure;
}

size_t doctor_count(const struct doctor *doctor, enum finding_outcome outcome)
{
    size_t count = 0;

    for (size_t i = 0; i < doctor->finding_count; i++)
        count += doctor->findings[i].outcome == outcome;
    return count;
}

bool doctor_is_sound(const struct doctor *doctor)
{
    for (int id = 0; id < DOCTOR_STEP_COUNT; id++)
        if (doctor->outcomes[id] == FINDING_WRONG)
            return false;
    return true;
}
