/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/get_key.h"

#include <stdio.h>
#include <string.h>

#include "ctl/command.h"

/* By the standard that the key server's URL names. */
static const struct {
    bool (*check)(const struct get_key_options *options, struct status *status);
    bool (*fetch)(const struct get_key_options *options, struct kme_session *session,
                  struct got_keys *keys, struct status *status);
} fetchers[] = {
    [ENDPOINT_ETSI014] = {get_key014_check, get_key014},
    [ENDPOINT_ETSI004] = {get_key004_check, get_key004},
};

static bool parse_ids(struct get_key_options *options, struct status *status)
{
    const char *text = options->key_ids;

    for (;;) {
        size_t length = strcspn(text, ",");

        if (options->id_count == GET_KEY_MAX)
            return status_fail(status, OUTCOME_INPUT, "--key-id has more than %d key IDs",
                               GET_KEY_MAX);
        if (!key_id_parse(text, length, &options->ids[options->id_count++]))
            return status_fail(status, OUTCOME_INPUT, "--key-id '%.*s' is not a UUID", (int)length,
                               text);
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

static bool parse(int argc, char **argv, struct get_key_options *options, struct status *status)
{
    enum { OWN_ROWS = 6 };
    struct option_row rows[KME_OPTION_COUNT + OWN_ROWS];
    size_t word_count;
    const struct option_row own[OWN_ROWS] = {
        {"number", OPTION_NUMBER, {.number = &options->number}, 1, GET_KEY_MAX},
        {"size-bits", OPTION_NUMBER, {.number = &options->size_bits}, 8, SECRET_MAX_BYTES * 8},
        {"index", OPTION_NUMBER, {.number = &options->index}, 0, UINT32_MAX},
        {"key-id", OPTION_TEXT, {.text = &options->key_ids}, 0, 0},
        {"show-key", OPTION_FLAG, {.flag = &options->show_key}, 0, 0},
        {"json", OPTION_FLAG, {.flag = &options->json}, 0, 0},
    };

    kme_options_rows(&options->kme, rows);
    memcpy(&rows[KME_OPTION_COUNT], own, sizeof(own));
    return options_parse(rows, KME_OPTION_COUNT + OWN_ROWS, argc, argv, NULL, 0, &word_count,
                         status) &&
           (options->key_ids == NULL || parse_ids(options, status));
}

static void free_keys(struct got_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        secret_free(keys->keys[i].key);
}

static enum exit_code run(int argc, char **argv)
{
    struct get_key_options options = {.index = GET_KEY_NO_INDEX};
    struct got_keys keys = {.count = 0};
    struct status status = STATUS_INIT;
    struct kme_session session;
    enum endpoint_api api;
    bool checked;

    if (!parse(argc, argv, &options, &status))
        return command_misused(&status, "get-key");
    if (!kme_session_open(&options.kme, &session, &status))
        return command_failed(&status);
    api = settings_api(session.settings);
    checked = fetchers[api].check(&options, &status);
    if (checked && fetchers[api].fetch(&options, &session, &keys, &status))
        get_key_print(&options, &keys, &status);
    else if (checked)
        status_prefix(&status, "keys with peer %s", settings_peer(session.settings));
    free_keys(&keys);
    kme_session_close(&session);
    if (!checked)
        return command_misused(&status, "get-key");
    return status.outcome == OUTCOME_OK ? EXIT_DONE : command_failed(&status);
}

const struct command command_get_key = {
    .name = "get-key",
    .summary = "gets keys as initiator, or those of given IDs as responder",
    .help = "usage: qkdctl get-key [--number N] [--size-bits N]   as initiator\n"
            "       qkdctl get-key --key-id UUID[,UUID...]        as responder\n"
            "\n"
            "With ETSI 014 the initiator reserves keys, and the responder claims them by their\n"
            "IDs. With ETSI 004 the initiator opens a key stream and says its ID at once; the\n"
            "responder joins it. Both read the keys from --index on, the initiator waiting for\n"
            "the responder (at most --timeout-ms), and close their end.\n"
            "\n"
            "A key that was got here is gone from the key server: no handshake will use it.\n"
            "\n"
            "  --number N      how many keys (default 1)\n"
            "  --size-bits N   of each (default 256, or as the stream was opened)\n"
            "  --index N       with ETSI 004: of the first key in the stream (default 0)\n"
            "  --show-key      prints the keys too, in hexadecimal\n"
            "  --json          for programs; the ID of a stream then goes to standard "
            "error\n" KME_OPTIONS_HELP,
    .run = run,
};
