/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that need no network, one file each, and what they share. */
#ifndef QKD_CTL_DOCTOR_STEPS_H
#define QKD_CTL_DOCTOR_STEPS_H

#include "ctl/doctor.h"

/* Where the lines above the first section are. */
#define DOCTOR_CONF_TOP "default"

/* The rows of a section; NULL when the file has none of this name, or it is empty. */
STACK_OF(CONF_VALUE) * doctor_conf_section(const struct doctor *doctor, const char *section);

/* What the file says in this very section; NULL when it has no such section or line. No error
 * stays behind in OpenSSL's queue. */
const char *doctor_conf(const struct doctor *doctor, const char *section, const char *name);

/* The words that OpenSSL takes for yes: 1, yes, true, on. */
bool doctor_is_true(const char *text);

/* The cure for "NAME = MISSING" in `section` when the file has no section of that name: the name
 * of one that is like it, or to add it. */
const char *doctor_section_cure(const struct doctor *doctor, char cure[static DOCTOR_CURE_BYTES],
                                const char *section, const char *name, const char *missing);

/* Sets path, conf and init_section. */
void doctor_file(struct doctor *doctor);

/* Sets provider_section and provider_name. */
void doctor_providers(struct doctor *doctor);

/* Sets module. */
void doctor_module(struct doctor *doctor);

/* Sets values and settings. */
void doctor_settings(struct doctor *doctor);

/* The files of cert, key and ca. */
void doctor_identity(struct doctor *doctor);

/* Sets tls_section, when the file has one; it need not. */
void doctor_tls(struct doctor *doctor);

/* Sets program. */
void doctor_load(struct doctor *doctor);
void doctor_versions(struct doctor *doctor);
void doctor_code_points(struct doctor *doctor);

void doctor_groups(struct doctor *doctor);
void doctor_fall_back(struct doctor *doctor);

enum { DOCTOR_NAME_BYTES = 64 };

/* A group that the program has, as its index-th report line says. */
struct doctor_group {
    unsigned number;
    bool is_ours;
    char provider[DOCTOR_NAME_BYTES];
    char name[DOCTOR_NAME_BYTES];
    char internal_name[DOCTOR_NAME_BYTES]; /* may be "" */
};

bool doctor_program_group(const struct doctor *doctor, size_t index, struct doctor_group *group);

/* The group of this name, as this OpenSSL compares names; false when the program has none. */
bool doctor_find_group(const struct doctor *doctor, const char *name, struct doctor_group *group);

/* The group to advise where the file names none: with ML-KEM when this OpenSSL has it. */
const char *doctor_default_group(const struct doctor *doctor);

/* One name of a list of groups, without the marks that OpenSSL from 3.3 or 3.5 on takes before
 * it. */
struct doctor_listed {
    char name[DOCTOR_NAME_BYTES];
    bool may_be_unknown; /* '?' */
    bool is_removal;     /* '-' */
};

/* Reads the name at *list and moves behind it; false at the end. */
bool doctor_next_group(const char **list, struct doctor_listed *listed);

/* A line of the TLS settings of all programs, by its name in any case; NULL when there is none. */
const char *doctor_tls_command(const struct doctor *doctor, const char *name);

/* The groups of all programs: the line Groups, or Curves, which is OpenSSL's other word for it. */
const char *doctor_tls_groups(const struct doctor *doctor);

/* Whether the program's OpenSSL is MAJOR.MINOR or newer. */
bool doctor_openssl_is(const struct doctor *doctor, unsigned major, unsigned minor);

#endif
