/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "ctl/doctor_steps.h"

/* The section of TLS settings that every program gets; NULL, and a finding, when the way to it is
 * broken or there is none. */
static const char *find_section(struct doctor *doctor)
{
    const char *ssl = doctor_conf(doctor, doctor->init_section, "ssl_conf");
    const char *tls = ssl != NULL ? doctor_conf(doctor, ssl, "system_default") : NULL;
    char cure[DOCTOR_CURE_BYTES];

    if (ssl == NULL)
        doctor_warn(doctor,
                    doctor_cure(cure,
                                "put this line into section [%s], or set the groups in each "
                                "program: ssl_conf = ssl",
                                doctor->init_section),
                    "section [%s] has no line 'ssl_conf = SECTION': programs use QKD only when "
                    "they set its groups themselves",
                    doctor->init_section);
    else if (doctor_conf_section(doctor, ssl) == NULL)
        doctor_wrong(
            doctor, doctor_section_cure(doctor, cure, doctor->init_section, "ssl_conf", ssl),
            "'ssl_conf = %s' names a section that the file does not have, or that is empty", ssl);
    else if (tls == NULL)
        doctor_wrong(
            doctor, doctor_cure(cure, "put this line into section [%s]: system_default = tls", ssl),
            "section [%s] has no line 'system_default = SECTION', so no program gets its groups "
            "from this file",
            ssl);
    else if (doctor_conf_section(doctor, tls) == NULL)
        doctor_wrong(doctor, doctor_section_cure(doctor, cure, ssl, "system_default", tls),
                     "'system_default = %s' names a section that the file does not have, or that "
                     "is empty",
                     tls);
    else
        return tls;
    return NULL;
}

/* OpenSSL does the commands in their order, so of several the last counts. `other` may be NULL. */
static const char *last_of(const struct doctor *doctor, const char *name, const char *other)
{
    STACK_OF(CONF_VALUE) *rows =
        doctor->tls_section != NULL ? doctor_conf_section(doctor, doctor->tls_section) : NULL;
    const char *last = NULL;

    for (int i = 0; i < sk_CONF_VALUE_num(rows); i++) {
        const CONF_VALUE *row = sk_CONF_VALUE_value(rows, i);
        const char *dot = strrchr(row->name, '.');
        const char *command = dot != NULL ? dot + 1 : row->name;

        if (strcasecmp(command, name) == 0 || (other != NULL && strcasecmp(command, other) == 0))
            last = row->value;
    }
    return last;
}

const char *doctor_tls_command(const struct doctor *doctor, const char *name)
{
    return last_of(doctor, name, NULL);
}

const char *doctor_tls_groups(const struct doctor *doctor)
{
    return last_of(doctor, "Groups", "Curves");
}

void doctor_tls(struct doctor *doctor)
{
    doctor->tls_section = find_section(doctor);
    if (doctor->tls_section != NULL)
        doctor_ok(doctor, "all programs get the TLS settings of section [%s]", doctor->tls_section);
}
