/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/doctor_steps.h"

enum { LOAD_LIMIT_MS = 8000, LINE_BYTES = 1024, STAGE_BYTES = 128 };

/* The program's report is in between. */
static bool check_output(struct doctor *doctor)
{
    if (!doctor->program.lost[0])
        return true;
    doctor_wrong(doctor,
                 "remove the module that does so from this file, and report it to its maker: the "
                 "output of every program would have it, too",
                 "a program with this file writes more than %d KiB to its standard output when it "
                 "only loads the file",
                 DOCTOR_PROGRAM_MAX_BYTES / 1024);
    return false;
}

/* What the module does in its first moments is not for us to mend. */
static bool check_end(struct doctor *doctor)
{
    const struct doctor_program *program = &doctor->program;
    char stage[STAGE_BYTES], cure[DOCTOR_CURE_BYTES];

    if (program->end == PROGRAM_EXITED && program->number == 0)
        return check_output(doctor);
    doctor_program_stage(program, stage, sizeof(stage));
    doctor_cure(cure,
                "install the module that belongs to this qkdctl (version %s) and to the OpenSSL of "
                "the program; if it is that one, report this with the file",
                QKD_VERSION);
    if (program->end == PROGRAM_HUNG)
        doctor_wrong(doctor, cure, "a program with this file hung for %d s at: %s",
                     LOAD_LIMIT_MS / 1000, stage);
    else if (program->end == PROGRAM_CRASHED)
        doctor_wrong(doctor, cure, "a program with this file was ended by signal %d (%s) at: %s",
                     program->number, strsignal(program->number), stage);
    else
        doctor_wrong(doctor, cure, "a program with this file ended with exit code %d at: %s",
                     program->number, stage);
    return false;
}

static bool check_config(struct doctor *doctor)
{
    char cause[LINE_BYTES];

    if (doctor_program_loaded(&doctor->program, cause, sizeof(cause)))
        return true;
    doctor_wrong(doctor,
                 "mend or remove what the reason names, and look for a missing library with "
                 "'ldd' when it is about a shared object",
                 "OpenSSL cannot load this file: %s", cause);
    return false;
}

static bool find_provider(const struct doctor *doctor, char *version, size_t version_bytes)
{
    char line[LINE_BYTES];
    size_t length = strlen(doctor->provider_name);

    for (size_t i = 0; doctor_program_line(&doctor->program, "provider", i, line, sizeof(line));
         i++)
        if (strncmp(line, doctor->provider_name, length) == 0 && line[length] == ' ') {
            snprintf(version, version_bytes, "%s", line + length + 1);
            return true;
        }
    return false;
}

void doctor_load(struct doctor *doctor)
{
    static const char *const words[] = {"load", NULL};
    struct status status = STATUS_INIT;
    char version[STAGE_BYTES];

    if (!doctor_program_run(&doctor->program, doctor->path, words, LOAD_LIMIT_MS, &status)) {
        doctor_wrong(doctor, "try again", "%s", status.text);
        return;
    }
    if (!check_end(doctor) || !check_config(doctor))
        return;
    if (find_provider(doctor, version, sizeof(version)))
        doctor_ok(doctor, "a program with this file loads provider %s, version %s",
                  doctor->provider_name, version);
    else
        doctor_wrong(doctor, "install the module that belongs to this qkdctl",
                     "a program with this file does not get the provider %s, and OpenSSL does not "
                     "say why",
                     doctor->provider_name);
}

bool doctor_openssl_is(const struct doctor *doctor, unsigned major, unsigned minor)
{
    char line[LINE_BYTES] = "";
    unsigned has_major = 0, has_minor = 0;

    doctor_program_line(&doctor->program, "openssl", 0, line, sizeof(line));
    if (sscanf(line, "OpenSSL %u.%u", &has_major, &has_minor) != 2)
        return false;
    return has_major > major || (has_major == major && has_minor >= minor);
}

void doctor_versions(struct doctor *doctor)
{
    char openssl[LINE_BYTES] = "?", version[STAGE_BYTES] = "?";

    doctor_program_line(&doctor->program, "openssl", 0, openssl, sizeof(openssl));
    find_provider(doctor, version, sizeof(version));
    doctor_ok(doctor, "examined with %s%s", openssl,
              doctor_openssl_is(doctor, 3, 5) ? ""
                                              : ", which has no ML-KEM: qkd_x25519, qkd_secp256r1 "
                                                "and qkd_secp384r1 are what there is");
    if (strcmp(version, QKD_VERSION) != 0)
        doctor_warn(doctor, "install both from the same build or package",
                    "the module is version %s and qkdctl is version %s", version, QKD_VERSION);
}

bool doctor_program_group(const struct doctor *doctor, size_t index, struct doctor_group *group)
{
    char line[LINE_BYTES];

    *group = (struct doctor_group){0};
    if (!doctor_program_line(&doctor->program, "group", index, line, sizeof(line)) ||
        sscanf(line, "%x %63s %63s %63s", &group->number, group->provider, group->name,
               group->internal_name) < 3)
        return false;
    group->is_ours = strcmp(group->provider, doctor->provider_name) == 0;
    return true;
}
