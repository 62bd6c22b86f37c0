/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status.h"

#include "ctl/command.h"

/* By the standard that the key server's URL names. */
static bool (*const probes[])(struct kme_session *session, bool json, struct status *status) = {
    [ENDPOINT_ETSI014] = status014,
    [ENDPOINT_ETSI004] = status004,
};

enum { OWN_OPTIONS = 3, OPTIONS = KME_OPTION_COUNT + OWN_OPTIONS };

static enum exit_code run_sae(const struct kme_options *options, bool json, struct status *status)
{
    struct kme_session session;

    if (!kme_session_open(options, &session, status))
        return command_failed(status);
    if (!probes[settings_api(session.settings)](&session, json, status))
        status_prefix(status, "keys with peer %s", settings_peer(session.settings));
    kme_session_close(&session);
    return status->outcome == OUTCOME_OK ? EXIT_DONE : command_failed(status);
}

static enum exit_code run_admin(const struct status_choices *choices, struct status *status)
{
    bool healthy = false;

    if (status_admin(choices, &healthy, status))
        return healthy ? EXIT_DONE : EXIT_FAILED;
    return status->outcome == OUTCOME_INPUT ? command_misused(status, "status")
                                            : command_failed(status);
}

static enum exit_code run(int argc, char **argv)
{
    struct option_row rows[OPTIONS], *own = rows + KME_OPTION_COUNT;
    struct status status = STATUS_INIT;
    struct status_choices choices = {0};
    struct kme_options options = {0};
    size_t word_count;

    kme_options_rows(&options, rows);
    own[0] = (struct option_row){"json", OPTION_FLAG, {.flag = &choices.json}, 0, 0};
    own[1] = (struct option_row){"watch", OPTION_FLAG, {.flag = &choices.watch}, 0, 0};
    own[2] = (struct option_row){"admin", OPTION_TEXT, {.text = &choices.admin}, 0, 0};
    if (!options_parse(rows, OPTIONS, argc, argv, NULL, 0, &word_count, &status))
        return command_misused(&status, "status");
    if (choices.admin != NULL)
        return run_admin(&choices, &status);
    if (choices.watch) {
        status_fail(&status, OUTCOME_INPUT, "--watch needs --admin http://127.0.0.1:PORT");
        return command_misused(&status, "status");
    }
    return run_sae(&options, choices.json, &status);
}

const struct command command_status = {
    .name = "status",
    .summary = "what a key server says about itself, or about keys with a peer",
    .help = "usage: qkdctl status [--json] [--config FILE]\n"
            "       qkdctl status --admin http://127.0.0.1:PORT [--json] [--watch]\n"
            "\n"
            "As an SAE: with ETSI 014 this is Get status. ETSI 004 has none: a key stream is\n"
            "opened as a handshake does, with what the key server grants, and closed again.\n"
            "\n"
            "As the administrator of a qkd-kme on this machine: its links with fill level and\n"
            "rate, what each SAE was given, key streams, last errors. Exit 1 when keys do not\n"
            "flow.\n"
            "\n"
            "  --admin URL     the admin side to ask\n"
            "  --watch         again every second, until it is interrupted or fails\n"
            "  --json          the Status object as ETSI GS QKD 014 clause 6.1 has it, or what\n"
            "                  OPEN_CONNECT answered with the names of ETSI GS QKD 004 clause "
            "6.1,\n"
            "                  or all that the admin side tells "
            "(docs/key-server.md)\n" KME_OPTIONS_HELP,
    .run = run,
};
