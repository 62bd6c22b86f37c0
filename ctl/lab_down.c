/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "ctl/command.h"
#include "ctl/lab.h"
#include "ctl/options.h"

static enum exit_code run(int argc, char **argv)
{
    struct status status = STATUS_INIT;
    bool any = false;
    const char *words[1];
    size_t word_count;
    struct lab lab;

    if (!options_parse(NULL, 0, argc, argv, words, 1, &word_count, &status) || word_count != 1) {
        status_fail(&status, OUTCOME_INPUT, "lab down needs a folder");
        return command_misused(&status, "lab");
    }
    if (!lab_open(words[0], true, &lab, &status))
        return command_failed(&status);
    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++) {
        any |= lab_kme_running(&lab, kme);
        lab_kme_stop(&lab, kme, &status);
    }
    lab_close(&lab);
    if (status.outcome != OUTCOME_OK)
        return command_failed(&status);
    printf("The laboratory %s down.\n", any ? "is" : "was already");
    return EXIT_DONE;
}

const struct command lab_command_down = {.name = "down", .run = run};
