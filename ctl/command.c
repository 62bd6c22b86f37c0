/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/command.h"

#include <stdio.h>
#include <string.h>

static bool is_help_option(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

const struct command *command_find(const struct command *const *rows, size_t count,
                                   const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i]->name, name) == 0)
            return rows[i];
    return NULL;
}

void command_list(const struct command *const *rows, size_t count, const char *prefix)
{
    for (size_t i = 0; i < count; i++)
        printf("  %s %-10s %s\n", prefix, rows[i]->name, rows[i]->summary);
}

enum exit_code command_failed(const struct status *status)
{
    fflush(stdout);
    fprintf(stderr, "qkdctl: %s\n", status->text);
    return EXIT_FAILED;
}

enum exit_code command_misused(const struct status *status, const char *help_words)
{
    fflush(stdout);
    fprintf(stderr, "qkdctl: %s\nSee 'qkdctl help%s%s'.\n", status->text,
            help_words[0] != '\0' ? " " : "", help_words);
    return EXIT_USAGE;
}

enum exit_code command_dispatch(const struct command *const *rows, size_t count, const char *prefix,
                                int argc, char **argv)
{
    const char *help_words = strchr(prefix, ' ');
    struct status status = STATUS_INIT;
    const struct command *row;

    help_words = help_words != NULL ? help_words + 1 : "";
    if (argc < 2) {
        status_fail(&status, OUTCOME_INPUT, "%s needs a subcommand", prefix);
        return command_misused(&status, help_words);
    }
    row = command_find(rows, count, argv[1]);
    if (row == NULL) {
        status_fail(&status, OUTCOME_INPUT, "%s has no subcommand '%s'", prefix, argv[1]);
        return command_misused(&status, help_words);
    }
    if (row->help != NULL && argc > 2 && is_help_option(argv[argc - 1])) {
        fputs(row->help, stdout);
        return EXIT_DONE;
    }
    return row->run(argc - 1, argv + 1);
}
