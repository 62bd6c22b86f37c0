/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ctl/command.h"
#include "ctl/doctor_program.h"

static enum exit_code run_help(int argc, char **argv);

static const struct command command_help = {
    .name = "help",
    .summary = "this list; 'help SUBCOMMAND' explains one",
    .help = "usage: qkdctl help [SUBCOMMAND]\n",
    .run = run_help,
};

static const struct command *const rows[] = {
    &command_lab,       &command_status,    &command_get_key, &command_doctor,
    &command_check_kme, &command_misbehave, &command_version, &command_help,
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static enum exit_code run_help(int argc, char **argv)
{
    struct status status = STATUS_INIT;
    const struct command *row;

    if (argc < 2) {
        puts("qkdctl is the user's tool of qkd-provider.\n");
        command_list(rows, ROW_COUNT, "qkdctl");
        puts("\nExit status: 0 done, 1 failed, 2 wrong call.");
        return EXIT_DONE;
    }
    row = command_find(rows, ROW_COUNT, argv[1]);
    if (row == NULL) {
        status_fail(&status, OUTCOME_INPUT, "qkdctl has no subcommand '%s'", argv[1]);
        return command_misused(&status, "");
    }
    fputs(row->help, stdout);
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    static char help[] = "help";

    if (argc > 1 && strcmp(argv[1], DOCTOR_PROGRAM) == 0)
        return (int)doctor_program_main(argc - 1, argv + 1);
    /* The user's openssl.cnf may load our provider, which is what this program examines. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        argv[1] = help;
    return (int)command_dispatch(rows, ROW_COUNT, "qkdctl", argc, argv);
}
