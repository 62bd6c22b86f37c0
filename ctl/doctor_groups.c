/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "ctl/doctor_steps.h"
#include "ctl/nearest.h"

enum { LIST_MAX_BYTES = 4096, LIST_MAX_NAMES = 64, LINE_BYTES = 1024 };

bool doctor_find_group(const struct doctor *doctor, const char *name, struct doctor_group *group)
{
    bool any_case = doctor_openssl_is(doctor, 3, 5);
    int (*compare)(const char *, const char *) = any_case ? strcasecmp : strcmp;

    for (size_t i = 0; doctor_program_group(doctor, i, group); i++)
        if (compare(group->name, name) == 0 || compare(group->internal_name, name) == 0)
            return true;
    return false;
}

const char *doctor_default_group(const struct doctor *doctor)
{
    return doctor_openssl_is(doctor, 3, 5) ? "qkd_x25519mlkem768" : "qkd_x25519";
}

bool doctor_next_group(const char **list, struct doctor_listed *listed)
{
    size_t length;

    *listed = (struct doctor_listed){.may_be_unknown = false};
    *list += strspn(*list, ":/ ");
    if (**list == '\0')
        return false;
    for (; **list != '\0' && strchr("?*-", **list) != NULL; (*list)++) {
        listed->may_be_unknown |= **list == '?';
        listed->is_removal |= **list == '-';
    }
    length = strcspn(*list, ":/ ");
    snprintf(listed->name, sizeof(listed->name), "%.*s", (int)length, *list);
    *list += length;
    return true;
}

static bool is_keyword(const char *name)
{
    return strncmp(name, "DEFAULT", 7) == 0;
}

/* The group of the module that somebody may have meant; the caller's buffer holds it. */
static const char *find_meant(const struct doctor *doctor, const char *name,
                              struct doctor_group *meant)
{
    struct nearest nearest = nearest_to(name);
    struct doctor_group group;

    for (size_t i = 0; doctor_program_group(doctor, i, &group); i++) {
        unsigned distance = nearest.distance;
        const char *found = nearest.found;

        nearest_try(&nearest, group.name);
        if (nearest.found != found || nearest.distance != distance)
            *meant = group;
        if (nearest.found != NULL)
            nearest.found = meant->name;
    }
    return nearest.found;
}

static bool has_name(const struct buf *list, const char *name)
{
    struct doctor_listed listed;
    char text[LIST_MAX_BYTES];
    const char *at = text;

    snprintf(text, sizeof(text), "%.*s", (int)list->length,
             list->data != NULL ? (const char *)list->data : "");
    while (doctor_next_group(&at, &listed))
        if (strcmp(listed.name, name) == 0)
            return true;
    return false;
}

/* The list with each unknown name replaced by what was meant, or left out. */
static void put_mended(const struct doctor *doctor, const char *list, struct buf *mended)
{
    struct doctor_group group;
    struct doctor_listed listed;

    while (doctor_next_group(&list, &listed)) {
        const char *name = listed.name;

        if (!doctor_find_group(doctor, name, &group) && !is_keyword(name))
            name = find_meant(doctor, listed.name, &group);
        if (name == NULL || has_name(mended, name))
            continue;
        if (mended->length > 0)
            buf_put_text(mended, ":");
        buf_put_text(mended, name);
    }
    if (mended->length == 0)
        buf_put_text(mended, doctor_default_group(doctor));
    buf_put_u8(mended, 0);
}

/* Why the module does not offer a group of ours. */
static const char *why_unknown(const struct doctor *doctor, const char *name)
{
    if (strncasecmp(name, "qkd_", 4) != 0)
        return "";
    if (strstr(name, "mlkem") != NULL && !doctor_openssl_is(doctor, 3, 5))
        return "; ML-KEM needs OpenSSL 3.5";
    return "; either it is misspelt, or no provider here has its inner algorithm";
}

static void say_unknown(struct doctor *doctor, const char *list, const char *name)
{
    bool diagnosed = doctor_openssl_is(doctor, 3, 4) &&
                     doctor_conf(doctor, DOCTOR_CONF_TOP, "config_diagnostics") != NULL;
    char cure[DOCTOR_CURE_BYTES];
    struct buf mended;

    buf_init(&mended, LIST_MAX_BYTES);
    put_mended(doctor, list, &mended);
    doctor_wrong(doctor,
                 doctor_cure(cure, "in section [%s] write the line as: Groups = %s",
                             doctor->tls_section, (const char *)mended.data),
                 "Groups has the name '%s', which this OpenSSL does not know%s; because of it %s",
                 name, why_unknown(doctor, name),
                 diagnosed ? "no TLS connection can be made"
                           : "OpenSSL ignores the whole line, and connections go on without QKD");
    buf_free(&mended);
}

/* Whether each name is known; counts ours. */
static bool check_names(struct doctor *doctor, const char *list, size_t *ours)
{
    struct doctor_group group;
    struct doctor_listed listed;
    const char *at = list;

    *ours = 0;
    for (size_t count = 0; count < LIST_MAX_NAMES && doctor_next_group(&at, &listed); count++) {
        bool found = doctor_find_group(doctor, listed.name, &group);

        if (!found && !is_keyword(listed.name) && !listed.may_be_unknown && !listed.is_removal) {
            say_unknown(doctor, list, listed.name);
            return false;
        }
        *ours += found && group.is_ours && !listed.is_removal;
    }
    return true;
}

/* TLS 1.3 is where our groups are. */
static bool check_maximum(struct doctor *doctor)
{
    const char *maximum = doctor_tls_command(doctor, "MaxProtocol");
    char cure[DOCTOR_CURE_BYTES];

    if (maximum == NULL || strcasecmp(maximum, "TLSv1.3") == 0 || strcasecmp(maximum, "None") == 0)
        return true;
    doctor_wrong(doctor,
                 doctor_cure(cure, "in section [%s] write the line as: MaxProtocol = TLSv1.3",
                             doctor->tls_section),
                 "MaxProtocol = %s excludes TLS 1.3, the only version with QKD groups", maximum);
    return false;
}

/* Whatever else OpenSSL has to say about the section. */
static bool check_context(struct doctor *doctor)
{
    char error[LINE_BYTES], cure[DOCTOR_CURE_BYTES];

    if (!doctor_program_line(&doctor->program, "context-error", 0, error, sizeof(error)))
        return true;
    doctor_wrong(doctor,
                 doctor_cure(cure, "mend or remove the line of section [%s] that the reason names",
                             doctor->tls_section),
                 "OpenSSL cannot use the TLS settings of section [%s]: %s", doctor->tls_section,
                 error);
    return false;
}

static bool check_list(struct doctor *doctor, const char *list)
{
    char cure[DOCTOR_CURE_BYTES];
    size_t ours;

    doctor_cure(cure, "in section [%s] write the line as: Groups = %s", doctor->tls_section,
                doctor_default_group(doctor));
    if (list == NULL) {
        doctor_warn(doctor, cure,
                    "section [%s] has no line 'Groups = LIST': programs use QKD only when they set "
                    "its groups themselves",
                    doctor->tls_section);
        return true;
    }
    if (!check_names(doctor, list, &ours))
        return false;
    if (ours == 0)
        doctor_wrong(doctor, cure, "Groups = %s has no QKD group, so no connection uses QKD", list);
    return ours > 0;
}

void doctor_groups(struct doctor *doctor)
{
    const char *list = doctor_tls_groups(doctor);

    if (doctor->tls_section == NULL) {
        doctor_ok(doctor, "none for all programs; those that a program sets itself count");
        return;
    }
    if (check_list(doctor, list) && check_maximum(doctor) && check_context(doctor) && list != NULL)
        doctor_ok(doctor, "Groups = %s", list);
}
