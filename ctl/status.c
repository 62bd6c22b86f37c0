/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status.h"

#include "ctl/command.h"

/* By the standard that the key server's URL names. */
static bool (*const probes[])(struct kme_session *session, bool json, struct status *status) = {
    [ENDPOINT_ETSI014] = status014,
    [ENDPOINT_ETSI004] = status004,
};

static enum exit_code run(int argc, char **argv)
{
    struct option_row rows[KME_OPTION_COUNT + 1];
    struct status status = STATUS_INIT;
    struct kme_options options = {0};
    struct kme_session session;
    size_t word_count;
    bool json = false;

    kme_options_rows(&options, rows);
    rows[KME_OPTION_COUNT] = (struct option_row){"json", OPTION_FLAG, {.flag = &json}, 0, 0};
    if (!options_parse(rows, KME_OPTION_COUNT + 1, argc, argv, NULL, 0, &word_count, &status))
        return command_misused(&status, "status");
    if (!kme_session_open(&options, &session, &status))
        return command_failed(&status);
    if (!probes[settings_api(session.settings)](&session, json, &status))
        status_prefix(&status, "keys with peer %s", settings_peer(session.settings));
    kme_session_close(&session);
    return status.outcome == OUTCOME_OK ? EXIT_DONE : command_failed(&status);
}

const struct command command_status = {
    .name = "status",
    .summary = "what a key server says about keys with a peer",
    .help = "usage: qkdctl status [--json] [--config FILE]\n"
            "\n"
            "With ETSI 014 this is Get status. ETSI 004 has none: a key stream is opened as a\n"
            "handshake does, with what the key server grants, and closed again.\n"
            "\n"
            "  --json          the Status object as ETSI GS QKD 014 clause 6.1 has it, or what\n"
            "                  OPEN_CONNECT answered with the names of ETSI GS QKD 004 clause "
            "6.1\n" KME_OPTIONS_HELP,
    .run = run,
};
