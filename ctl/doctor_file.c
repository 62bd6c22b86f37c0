/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/conf.h>
#include <openssl/err.h>

#include "ctl/doctor_steps.h"
#include "ctl/nearest.h"

static const char diagnostics[] = "config_diagnostics";

STACK_OF(CONF_VALUE) * doctor_conf_section(const struct doctor *doctor, const char *section)
{
    STACK_OF(CONF_VALUE) * rows;

    ERR_set_mark();
    rows = NCONF_get_section(doctor->conf, section);
    ERR_pop_to_mark();
    return rows;
}

const char *doctor_conf(const struct doctor *doctor, const char *section, const char *name)
{
    STACK_OF(CONF_VALUE) *rows = doctor_conf_section(doctor, section);
    const char *value = NULL;

    /* The last one counts. */
    for (int i = 0; i < sk_CONF_VALUE_num(rows); i++)
        if (strcmp(sk_CONF_VALUE_value(rows, i)->name, name) == 0)
            value = sk_CONF_VALUE_value(rows, i)->value;
    return value;
}

static bool is_top(const char *section)
{
    return strcmp(section, DOCTOR_CONF_TOP) == 0;
}

const char *doctor_section_cure(const struct doctor *doctor, char cure[static DOCTOR_CURE_BYTES],
                                const char *section, const char *name, const char *missing)
{
    STACK_OF(OPENSSL_CSTRING) *names = NCONF_get_section_names(doctor->conf);
    struct nearest nearest = nearest_to(missing);

    for (int i = 0; i < sk_OPENSSL_CSTRING_num(names); i++)
        if (!is_top(sk_OPENSSL_CSTRING_value(names, i)) &&
            strcmp(sk_OPENSSL_CSTRING_value(names, i), section) != 0)
            nearest_try(&nearest, sk_OPENSSL_CSTRING_value(names, i));
    sk_OPENSSL_CSTRING_free(names);
    if (nearest.found == NULL)
        return doctor_cure(cure, "add the section: [%s]", missing);
    if (is_top(section))
        return doctor_cure(cure, "above the first [section] write the line as: %s = %s", name,
                           nearest.found);
    return doctor_cure(cure, "in section [%s] write the line as: %s = %s", section, name,
                       nearest.found);
}

/* --config, then $OPENSSL_CONF, then OpenSSL's own. */
static const char *choose_path(struct doctor *doctor)
{
    const char *given = doctor->choices.config, *environment = getenv("OPENSSL_CONF");
    char *own = given == NULL && environment == NULL ? CONF_get1_default_config_file() : NULL;

    snprintf(doctor->path, sizeof(doctor->path), "%s",
             given != NULL         ? given
             : environment != NULL ? environment
             : own != NULL         ? own
                                   : "");
    OPENSSL_free(own);
    return given != NULL ? "--config"
           : environment != NULL
               ? "OPENSSL_CONF"
               : "OpenSSL's own file, as neither --config nor OPENSSL_CONF is set";
}

/* OpenSSL reads what it gets, but says little about what it cannot read. */
static bool check_readable(struct doctor *doctor, const char *from)
{
    int fd = open(doctor->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = errno;
    struct stat about = {0};
    bool is_file;

    if (fd < 0) {
        doctor_wrong(doctor,
                     error == EACCES
                         ? "let the user who runs the program read it (chmod, chown)"
                         : "name a file that exists with --config or OPENSSL_CONF; 'qkdctl lab "
                           "init DIR' writes examples",
                     "'%s' (%s) cannot be opened: %s; OpenSSL goes on without it, and without QKD",
                     doctor->path, from, strerror(error));
        return false;
    }
    is_file = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    close(fd);
    if (!is_file)
        doctor_wrong(doctor, "name the file itself", "'%s' (%s) is not a regular file",
                     doctor->path, from);
    return is_file;
}

static bool parse(struct doctor *doctor)
{
    char cure[DOCTOR_CURE_BYTES];
    long line = 0;
    const char *reason;

    doctor->conf = NCONF_new(NULL);
    if (doctor->conf != NULL && NCONF_load(doctor->conf, doctor->path, &line) == 1)
        return true;
    reason = ERR_reason_error_string(ERR_peek_last_error());
    NCONF_free(doctor->conf);
    doctor->conf = NULL;
    doctor_wrong(doctor, doctor_cure(cure, "mend line %ld of %s", line, doctor->path),
                 "OpenSSL cannot read line %ld of '%s': %s", line, doctor->path,
                 reason != NULL ? reason : "unknown reason");
    return false;
}

static bool find_init(struct doctor *doctor)
{
    const char *init = doctor_conf(doctor, DOCTOR_CONF_TOP, "openssl_conf");
    char cure[DOCTOR_CURE_BYTES];

    if (init == NULL || strcmp(init, "") == 0) {
        doctor_wrong(doctor,
                     "put this line at the top of the file, above the first [section]: "
                     "openssl_conf = init",
                     "the file has no line 'openssl_conf = SECTION' above its first section, so "
                     "OpenSSL ignores the rest of it");
        return false;
    }
    if (doctor_conf_section(doctor, init) == NULL) {
        doctor_wrong(doctor,
                     doctor_section_cure(doctor, cure, DOCTOR_CONF_TOP, "openssl_conf", init),
                     "'openssl_conf = %s' names a section that the file does not have", init);
        return false;
    }
    doctor->init_section = init;
    return true;
}

bool doctor_is_true(const char *text)
{
    static const char *const words[] = {"1", "yes", "true", "on"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(words[i], text) == 0)
            return true;
    return false;
}

static void check_diagnostics(struct doctor *doctor)
{
    const char *value = doctor_conf(doctor, DOCTOR_CONF_TOP, diagnostics);

    if (doctor_conf(doctor, doctor->init_section, diagnostics) != NULL)
        doctor_wrong(doctor,
                     "move the line 'config_diagnostics = 1' to the top of the file, above the "
                     "first [section]",
                     "'%s' stands in section [%s], where OpenSSL takes it for the name of a module "
                     "and fails to start",
                     diagnostics, doctor->init_section);
    else if (value == NULL || !doctor_is_true(value))
        doctor_warn(doctor,
                    "put this line at the top of the file, above the first [section]: "
                    "config_diagnostics = 1",
                    "without 'config_diagnostics = 1' OpenSSL ignores a mistake in this file, and "
                    "connections go on without QKD");
}

void doctor_file(struct doctor *doctor)
{
    const char *from = choose_path(doctor);

    if (!check_readable(doctor, from) || !parse(doctor) || !find_init(doctor))
        return;
    doctor_ok(doctor, "'%s' (%s) is read, beginning with [%s]", doctor->path, from,
              doctor->init_section);
    check_diagnostics(doctor);
}
