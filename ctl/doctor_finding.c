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

/* Which of several key servers a finding is about. */
static void put_kme(const struct doctor *doctor, char text[static DOCTOR_TEXT_BYTES])
{
    text[0] = '\0';
    if (doctor_step_is_of_kme(doctor->current) && doctor->settings != NULL &&
        settings_kme_count(doctor->settings) > 1)
        snprintf(text, DOCTOR_TEXT_BYTES, "%s: ", doctor_kme_url(doctor));
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
    doctor->has_wrong = doctor->has_wrong || outcome == FINDING_WRONG;
    if (doctor->finding_count == DOCTOR_FINDINGS_MAX) {
        doctor->findings_lost++;
        return;
    }
    finding = &doctor->findings[doctor->finding_count++];
    finding->step = doctor->current;
    finding->outcome = outcome;
    put_kme(doctor, finding->text);
    vsnprintf(finding->text + strlen(finding->text), sizeof(finding->text) - strlen(finding->text),
              format, args);
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
    return !doctor->has_wrong;
}

bool doctor_step_is_of_kme(enum doctor_step_id id)
{
    return id >= DOCTOR_KME_NAME && id <= DOCTOR_KME_CLOCK;
}

struct endpoint *doctor_kme_endpoint(const struct doctor *doctor)
{
    return settings_kme_endpoint(doctor->settings, doctor->kme_place);
}

const char *doctor_kme_url(const struct doctor *doctor)
{
    return settings_kme_url(doctor->settings, doctor->kme_place);
}
