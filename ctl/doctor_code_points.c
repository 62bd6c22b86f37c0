/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "ctl/doctor_steps.h"

static const char prefix[] = "codepoint-";

/* What the module itself has logged when it was loaded. */
static bool find_logged(const struct doctor *doctor, const char *words, char *text, size_t bytes)
{
    const char *log = (const char *)doctor->program.errors.data;
    const char *found = log != NULL ? strstr(log, words) : NULL;

    if (found != NULL)
        snprintf(text, bytes, "%.*s", (int)strcspn(found, "\n"), found);
    return found != NULL;
}

static bool is_ours(const struct doctor *doctor, const char *name)
{
    struct doctor_group group;

    for (size_t i = 0; doctor_program_group(doctor, i, &group); i++)
        if (group.is_ours && strcmp(group.name, name) == 0)
            return true;
    return false;
}

/* A number of private use that nobody has here. */
static unsigned free_number(const struct doctor *doctor)
{
    enum { FIRST = 0xFEE0, LAST = 0xFEFE };
    struct doctor_group group;
    unsigned number = FIRST;

    for (size_t i = 0; number < LAST && doctor_program_group(doctor, i, &group); i++)
        if (group.number == number) {
            number++;
            i = (size_t)-1;
        }
    return number;
}

/* "GROUP is not offered: provider X has its number 0xNNNN for Y": the module's words, from the
 * group's name on. */
static bool check_clash(struct doctor *doctor)
{
    static const char words[] = " is not offered: provider ";
    const char *log = (const char *)doctor->program.errors.data;
    const char *found = log != NULL ? strstr(log, words) : NULL;
    const char *name = found;
    char cure[DOCTOR_CURE_BYTES];

    if (found == NULL)
        return true;
    while (name > log && name[-1] != ' ' && name[-1] != '\n')
        name--;
    doctor_wrong(doctor,
                 doctor_cure(cure,
                             "put this line into section [%s], and the same at the other end: "
                             "codepoint-%.*s = 0x%04X",
                             doctor->provider_section, (int)(found - name), name,
                             free_number(doctor)),
                 "%.*s", (int)strcspn(name, ";\n"), name);
    return false;
}

static bool check_fault(struct doctor *doctor)
{
    static const char words[] = "every handshake will fail: ";
    char text[DOCTOR_TEXT_BYTES], cure[DOCTOR_CURE_BYTES];

    if (!find_logged(doctor, words, text, sizeof(text)))
        return true;
    doctor_wrong(doctor,
                 doctor_cure(cure,
                             "in section [%s] remove the line, or give a number of private use "
                             "from 0xFEE0 to 0xFEFE, the same at both ends",
                             doctor->provider_section),
                 "%s", text + strlen(words));
    return false;
}

static void check_names(struct doctor *doctor)
{
    STACK_OF(CONF_VALUE) *rows = doctor_conf_section(doctor, doctor->provider_section);
    char cure[DOCTOR_CURE_BYTES];

    for (int i = 0; i < sk_CONF_VALUE_num(rows); i++) {
        const CONF_VALUE *row = sk_CONF_VALUE_value(rows, i);

        if (strncmp(row->name, prefix, strlen(prefix)) == 0 &&
            !is_ours(doctor, row->name + strlen(prefix)))
            doctor_warn(doctor,
                        doctor_cure(cure, "in section [%s] mend or remove the line: %s",
                                    row->section, row->name),
                        "'%s' gives a number to a group that the module does not offer here",
                        row->name);
    }
}

void doctor_code_points(struct doctor *doctor)
{
    struct doctor_group group;
    size_t ours = 0;

    if (!check_fault(doctor) || !check_clash(doctor))
        return;
    for (size_t i = 0; doctor_program_group(doctor, i, &group); i++)
        ours += group.is_ours;
    if (ours == 0)
        doctor_wrong(doctor, "report this with the file and the versions",
                     "the module is loaded and offers no group");
    else
        doctor_ok(doctor, "%zu QKD groups, each with a number that no other provider has", ours);
    check_names(doctor);
}
