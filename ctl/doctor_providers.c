/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ctl/doctor_steps.h"
#include "ctl/openssl_cnf.h"

/* The list of providers; NULL when the file has none. */
static const char *find_list(struct doctor *doctor)
{
    const char *list = doctor_conf(doctor, doctor->init_section, "providers");
    char cure[DOCTOR_CURE_BYTES];

    if (list == NULL) {
        doctor_wrong(doctor,
                     doctor_cure(cure, "put this line into section [%s]: providers = providers",
                                 doctor->init_section),
                     "section [%s] has no line 'providers = SECTION', so OpenSSL loads no provider "
                     "of this file",
                     doctor->init_section);
        return NULL;
    }
    if (doctor_conf_section(doctor, list) == NULL) {
        doctor_wrong(doctor,
                     doctor_section_cure(doctor, cure, doctor->init_section, "providers", list),
                     "'providers = %s' names a section that the file does not have, or that is "
                     "empty",
                     list);
        return NULL;
    }
    return list;
}

static const CONF_VALUE *find_row(struct doctor *doctor, const char *list)
{
    const CONF_VALUE *row = openssl_cnf_provider(doctor->conf);
    char cure[DOCTOR_CURE_BYTES];

    if (row == NULL) {
        doctor_wrong(doctor,
                     doctor_cure(cure, "put this line into section [%s]: qkd = qkd_provider", list),
                     "section [%s] does not list the provider qkd", list);
        return NULL;
    }
    if (doctor_conf_section(doctor, row->value) == NULL) {
        doctor_wrong(doctor, doctor_section_cure(doctor, cure, list, row->name, row->value),
                     "'%s = %s' in section [%s] names a section that the file does not have, or "
                     "that is empty",
                     row->name, row->value, list);
        return NULL;
    }
    return row;
}

static bool is_activated(const struct doctor *doctor, const char *section)
{
    const char *activate = doctor_conf(doctor, section, "activate");

    return activate != NULL && doctor_is_true(activate);
}

static bool check_activated(struct doctor *doctor, const char *section)
{
    const char *activate = doctor_conf(doctor, section, "activate");
    char cure[DOCTOR_CURE_BYTES];

    if (is_activated(doctor, section))
        return true;
    doctor_cure(cure, "put this line into section [%s]: activate = 1", section);
    if (activate == NULL)
        doctor_wrong(doctor, cure, "section [%s] does not activate the provider", section);
    else
        doctor_wrong(doctor, cure, "'activate = %s' in section [%s] does not say yes", activate,
                     section);
    return false;
}

/* Activating any provider switches off the one that OpenSSL takes when none is named. */
static bool check_others(struct doctor *doctor, const char *list, const CONF_VALUE *ours)
{
    STACK_OF(CONF_VALUE) *rows = doctor_conf_section(doctor, list);
    const char *section = doctor_conf(doctor, list, "default");
    char cure[DOCTOR_CURE_BYTES];

    for (int i = 0; i < sk_CONF_VALUE_num(rows); i++) {
        const CONF_VALUE *row = sk_CONF_VALUE_value(rows, i);

        if (row != ours && is_activated(doctor, row->value))
            return true;
    }
    if (section == NULL)
        doctor_cure(cure,
                    "put 'default = default_provider' into section [%s] and add the section: "
                    "[default_provider] activate = 1",
                    list);
    else
        doctor_cure(cure, "put this line into section [%s]: activate = 1", section);
    doctor_wrong(doctor, cure,
                 "no other provider is activated: OpenSSL then goes without its default provider "
                 "and has no ciphers at all");
    return false;
}

/* OpenSSL overlooks what stands before the last dot of a name, so that names may repeat. */
static const char *name_of(const struct doctor *doctor, const CONF_VALUE *row)
{
    const char *identity = doctor_conf(doctor, row->value, "identity");
    const char *dot = strrchr(row->name, '.');

    return identity != NULL ? identity : dot != NULL ? dot + 1 : row->name;
}

void doctor_providers(struct doctor *doctor)
{
    const char *list = find_list(doctor);
    const CONF_VALUE *row = list != NULL ? find_row(doctor, list) : NULL;

    if (row == NULL || !check_activated(doctor, row->value) || !check_others(doctor, list, row))
        return;
    doctor->provider_section = row->value;
    doctor->provider_name = name_of(doctor, row);
    doctor_ok(doctor, "provider %s has the section [%s] and is activated beside another",
              doctor->provider_name, doctor->provider_section);
}
