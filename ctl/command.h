/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subcommand is a row: its name, one line for the list, its help, its function. The same rows
 * serve "qkdctl" and "qkdctl lab".
 */
#ifndef QKD_CTL_COMMAND_H
#define QKD_CTL_COMMAND_H

#include <stddef.h>

#include "base/status.h"

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
    const char *name;
    const char *summary; /* one line, no full stop */
    const char *help;    /* what "help NAME" and "NAME --help" print; NULL: its group's */
    /* argv[0] is the name of the subcommand. */
    enum exit_code (*run)(int argc, char **argv);
};

/* Runs the row that argv[1] names. `prefix` ("qkdctl", "qkdctl lab") is for messages. */
enum exit_code command_dispatch(const struct command *const *rows, size_t count, const char *prefix,
                                int argc, char **argv);

/* NULL when there is none of that name. */
const struct command *command_find(const struct command *const *rows, size_t count,
                                   const char *name);

void command_list(const struct command *const *rows, size_t count, const char *prefix);

/* Prints "qkdctl: SENTENCE" to standard error; the exit code for it. */
enum exit_code command_failed(const struct status *status);

/* The same for a wrong call, with where to read more. */
enum exit_code command_misused(const struct status *status, const char *help_words);

extern const struct command command_lab, command_status, command_get_key, command_version,
    command_check_kme, command_doctor;
extern const struct command command_misbehave;
extern const struct command lab_command_init, lab_command_up, lab_command_status, lab_command_down;

#endif
