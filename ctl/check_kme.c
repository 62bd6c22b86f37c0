/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check_options.h"
#include "ctl/command.h"

static enum exit_code run(int argc, char **argv)
{
    struct status status = STATUS_INIT;
    struct check_options options;
    struct check_run checks;

    if (!check_options_parse(argc, argv, &options, &status))
        return command_misused(&status, "check-kme");
    if (options.list)
        return check_table_list(options.table, &options.choices, &status) ? EXIT_DONE
                                                                          : command_failed(&status);
    if (!check_run_open(&options, &checks, &status))
        return command_failed(&status);
    check_table_run(&checks, &status);
    check_run_close(&checks);
    if (status.outcome != OUTCOME_OK)
        return command_failed(&status);
    return checks.counts[CHECK_FAILED] == 0 ? EXIT_DONE : EXIT_FAILED;
}

const struct command command_check_kme = {
    .name = "check-kme",
    .summary = "checks any key server against the standard",
    .help =
        "usage: qkdctl check-kme [--api 014|004] --kme URL --sae ID --cert FILE --key FILE\n"
        "                        --ca FILE --peer-kme URL --peer ID --peer-cert FILE\n"
        "                        --peer-key FILE\n"
        "       qkdctl check-kme [--api 014|004] --lab DIR [--reverse] [--restart]\n"
        "       qkdctl check-kme [--api 014|004] --list\n"
        "\n"
        "Asks a key server, or two that are linked, as an initiator and as a responder do, and\n"
        "as nobody should. One line for each check: its ID, passed, failed or skipped, what it\n"
        "proves, and what was expected and what came. It takes a few hundred keys.\n"
        "\n"
        "The initiator's end and the responder's (--peer...); a key server may be the same:\n"
        "  --kme URL  --sae ID  --cert FILE  --key FILE  --ca FILE\n"
        "  --peer-kme URL  --peer ID  --peer-cert FILE  --peer-key FILE  [--peer-ca FILE]\n"
        "  --stranger ID  --stranger-cert FILE  --stranger-key FILE\n"
        "                  optional: an SAE at the responder's key server that is not the\n"
        "                  responder\n"
        "  --lab DIR       fills in what is not given from a laboratory; --reverse swaps the ends\n"
        "\n"
        "What is run:\n"
        "  --list          prints the checks, with what the standard says about each\n"
        "  --only IDS      only these; a list with commas, or patterns such as 'S14.1?'\n"
        "  --required-only leaves out what the standard only leaves open\n"
        "  --deplete       also what asks for more keys than are stored\n"
        "  --heavy         also what takes many connections, or would stop a poor key server\n"
        "  --restart       with --lab: also what ends a key server and starts it again\n"
        "  --timeout-ms N  for each exchange (default 5000)\n"
        "  --json          one object for programs\n"
        "\n"
        "With --api 004: --source-uri URI  --destination-uri URI  --dialect w1|w2|qubip\n"
        "\n"
        "The exit status is 0 when no check failed. docs/check-kme.md explains each.\n",
    .run = run,
};
