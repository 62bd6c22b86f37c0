/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/doctor_steps.h"

static const struct doctor_step rows[] = {
    {DOCTOR_FILE, 0, "file", "the file that OpenSSL reads", doctor_file},
    {DOCTOR_PROVIDERS, DOCTOR_NEEDS(DOCTOR_FILE), "providers", "the provider and its section",
     doctor_providers},
    {DOCTOR_MODULE, DOCTOR_NEEDS(DOCTOR_PROVIDERS), "module", "the module's file", doctor_module},
    {DOCTOR_SETTINGS, DOCTOR_NEEDS(DOCTOR_PROVIDERS), "settings", "the provider's settings",
     doctor_settings},
    {DOCTOR_IDENTITY, DOCTOR_NEEDS(DOCTOR_SETTINGS), "identity",
     "certificates and key for the key server", doctor_identity},
    {DOCTOR_TLS, DOCTOR_NEEDS(DOCTOR_FILE), "tls", "the TLS settings of all programs", doctor_tls},
    {DOCTOR_LOAD, DOCTOR_NEEDS(DOCTOR_MODULE) | DOCTOR_NEEDS(DOCTOR_TLS), "load",
     "a program that loads all this", doctor_load},
    {DOCTOR_VERSIONS, DOCTOR_NEEDS(DOCTOR_LOAD), "versions", "versions of what runs",
     doctor_versions},
    {DOCTOR_CODE_POINTS, DOCTOR_NEEDS(DOCTOR_LOAD) | DOCTOR_NEEDS(DOCTOR_SETTINGS), "numbers",
     "the groups that the module offers, and their numbers", doctor_code_points},
    {DOCTOR_GROUPS, DOCTOR_NEEDS(DOCTOR_CODE_POINTS), "groups", "the groups that all programs get",
     doctor_groups},
    {DOCTOR_FALL_BACK, DOCTOR_NEEDS(DOCTOR_GROUPS), "fall-back", "ways around QKD",
     doctor_fall_back},
};

const struct doctor_step_table doctor_steps_local = {sizeof(rows) / sizeof(rows[0]), rows};
