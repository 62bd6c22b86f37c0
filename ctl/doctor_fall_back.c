/* SPDX-License-Identifier: Apache-2.0 */
/* The ways in which a connection may go on without QKD, and nobody notices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "ctl/doctor_steps.h"

enum { LIST_MAX_BYTES = 4096, LINE_BYTES = 64 };

/* Parts the list into ours and the others; the buffers end with a NUL. */
static void sort_groups(const struct doctor *doctor, const char *list, struct buf *ours,
                        struct buf *others)
{
    struct doctor_listed listed;
    struct doctor_group group;

    while (doctor_next_group(&list, &listed)) {
        bool known = doctor_find_group(doctor, listed.name, &group);
        struct buf *to = known && group.is_ours ? ours : others;

        if (listed.is_removal || (listed.may_be_unknown && !known))
            continue;
        if (to->length > 0)
            buf_put_text(to, ":");
        buf_put_text(to, listed.name);
    }
    buf_put_u8(ours, 0);
    buf_put_u8(others, 0);
}

static void check_list(struct doctor *doctor, const char *list)
{
    char cure[DOCTOR_CURE_BYTES];
    struct buf ours, others;

    buf_init(&ours, LIST_MAX_BYTES);
    buf_init(&others, LIST_MAX_BYTES);
    sort_groups(doctor, list, &ours, &others);
    if (others.length > 1 && !others.failed && !ours.failed)
        doctor_warn(doctor,
                    doctor_cure(cure,
                                "if no connection may go without QKD, write in section [%s]: "
                                "Groups = %s",
                                doctor->tls_section, (const char *)ours.data),
                    "Groups has %s beside QKD groups: a connection with it has no QKD, and is "
                    "welcome",
                    (const char *)others.data);
    buf_free(&ours);
    buf_free(&others);
}

/* OpenSSL's own list, which a program without one uses, has no group of a provider like ours. */
static void check_no_list(struct doctor *doctor)
{
    char cure[DOCTOR_CURE_BYTES];

    if (doctor->tls_section != NULL)
        doctor_cure(cure,
                    "see that each program sets QKD groups of its own, or put this line into "
                    "section [%s]: Groups = %s",
                    doctor->tls_section, doctor_default_group(doctor));
    else
        doctor_cure(cure, "see that each program sets QKD groups of its own, or give them to all "
                          "programs, as the step 'tls' says");
    doctor_warn(doctor, cure,
                "this file gives no groups to all programs: connections of a program that sets "
                "none itself have no QKD");
}

/* As SSL_CTX_new leaves it: the distribution may have set one, too. */
static void check_minimum(struct doctor *doctor)
{
    char line[LINE_BYTES] = "", cure[DOCTOR_CURE_BYTES];

    if (!doctor_program_line(&doctor->program, "min-protocol", 0, line, sizeof(line)) ||
        strtoul(line, NULL, 16) >= TLS1_3_VERSION)
        return;
    if (doctor->tls_section != NULL)
        doctor_cure(cure, "put this line into section [%s]: MinProtocol = TLSv1.3",
                    doctor->tls_section);
    else
        doctor_cure(cure, "make TLS 1.3 the lowest version in each program");
    doctor_warn(doctor, cure, "TLS 1.2 is allowed, and a connection with it has no QKD");
}

/* OpenSSL before 3.4 cannot be told to take a mistake in the file seriously. */
static void check_diagnostics(struct doctor *doctor)
{
    if (!doctor_openssl_is(doctor, 3, 4))
        doctor_warn(doctor,
                    "set the groups in each program, too (-groups, ssl_ecdh_curve, curves ...), "
                    "where an unknown name is an error",
                    "this OpenSSL is older than 3.4 and does not know config_diagnostics: after a "
                    "mistake in this file, or without the module, connections go on without QKD");
}

void doctor_fall_back(struct doctor *doctor)
{
    const char *list = doctor_tls_groups(doctor);

    if (list != NULL)
        check_list(doctor, list);
    else
        check_no_list(doctor);
    check_minimum(doctor);
    check_diagnostics(doctor);
    if (doctor->outcomes[DOCTOR_FALL_BACK] == FINDING_OK)
        doctor_ok(doctor, "QKD groups only, TLS 1.3 only: no connection goes on without QKD");
}
