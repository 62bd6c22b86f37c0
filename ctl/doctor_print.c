/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "ctl/doctor.h"

static const char *const outcome_texts[FINDING_OUTCOME_COUNT] = {
    [FINDING_OK] = "ok",
    [FINDING_WARNING] = "warning",
    [FINDING_NOT_TRIED] = "not tried",
    [FINDING_WRONG] = "wrong",
};

void doctor_print_head(const struct doctor *doctor)
{
    if (!doctor->choices.json)
        printf("qkdctl %s examines the way to a QKD handshake\n\n", QKD_VERSION);
}

static void print_finding(const struct finding *finding)
{
    const struct doctor_step *step = doctor_step(finding->step);

    printf("%-11s %-9s  %s\n", step->name, outcome_texts[finding->outcome], finding->text);
    if (finding->cure[0] != '\0')
        printf("%-11s %-9s  -> %s\n", "", "", finding->cure);
}

void doctor_print_step(const struct doctor *doctor, size_t first_finding)
{
    if (doctor->choices.json)
        return;
    for (size_t i = first_finding; i < doctor->finding_count; i++)
        print_finding(&doctor->findings[i]);
    fflush(stdout);
}

static void print_all_of(const struct doctor *doctor, enum finding_outcome outcome)
{
    for (size_t i = 0; i < doctor->finding_count; i++)
        if (doctor->findings[i].outcome == outcome)
            print_finding(&doctor->findings[i]);
}

static void print_summary(const struct doctor *doctor)
{
    printf("\n%zu ok, %zu warning%s, %zu wrong, %zu not tried\n", doctor_count(doctor, FINDING_OK),
           doctor_count(doctor, FINDING_WARNING),
           doctor_count(doctor, FINDING_WARNING) == 1 ? "" : "s",
           doctor_count(doctor, FINDING_WRONG), doctor_count(doctor, FINDING_NOT_TRIED));
    print_all_of(doctor, FINDING_WRONG);
    print_all_of(doctor, FINDING_WARNING);
    if (doctor->findings_lost > 0)
        printf("%zu more findings are not shown\n", doctor->findings_lost);
    printf("%" PRId64 " keys were used\n", doctor->keys_used);
}

static json_t *finding_json(const struct finding *finding)
{
    const struct doctor_step *step = doctor_step(finding->step);

    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "step", step->name, "title", step->title,
                     "outcome", outcome_texts[finding->outcome], "text", finding->text, "cure",
                     finding->cure);
}

/* The first wrong one, which is the cause of those behind it; null when nothing is wrong. */
static json_t *first_wrong_json(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->finding_count; i++)
        if (doctor->findings[i].outcome == FINDING_WRONG)
            return finding_json(&doctor->findings[i]);
    return json_null();
}

static json_t *whole_json(const struct doctor *doctor)
{
    json_t *findings = json_array();

    for (size_t i = 0; i < doctor->finding_count; i++)
        json_array_append_new(findings, finding_json(&doctor->findings[i]));
    return json_pack("{s:s, s:s, s:b, s:o, s:o, s:{s:I, s:I, s:I, s:I}, s:I}", "version",
                     QKD_VERSION, "config", doctor->path, "sound", doctor_is_sound(doctor),
                     "first_wrong", first_wrong_json(doctor), "findings", findings, "summary", "ok",
                     (json_int_t)doctor_count(doctor, FINDING_OK), "warnings",
                     (json_int_t)doctor_count(doctor, FINDING_WARNING), "wrong",
                     (json_int_t)doctor_count(doctor, FINDING_WRONG), "not_tried",
                     (json_int_t)doctor_count(doctor, FINDING_NOT_TRIED), "keys_used",
                     (json_int_t)doctor->keys_used);
}

bool doctor_print_end(const struct doctor *doctor, struct status *status)
{
    json_t *whole;
    char *text;
    bool done;

    if (!doctor->choices.json) {
        print_summary(doctor);
        return true;
    }
    whole = whole_json(doctor);
    text = whole != NULL ? json_dumps(whole, JSON_INDENT(2)) : NULL;
    done = text != NULL && puts(text) != EOF;
    free(text);
    json_decref(whole);
    return done || status_fail(status, OUTCOME_INTERNAL, "the findings cannot be written as JSON");
}
