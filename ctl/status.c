/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/command.h"
#include "ctl/kme_options.h"

enum { JSON_MAX_BYTES = 8192 };

static void print_table(const char *kme, const struct etsi014_status *value)
{
    printf("key server               %s\n"
           "its KME ID               %s\n"
           "the peer's KME ID        %s\n"
           "initiator (master SAE)   %s\n"
           "responder (slave SAE)    %s\n",
           kme, value->source_kme_id, value->target_kme_id, value->master_sae_id,
           value->slave_sae_id);
    printf("default key size         %" PRId64 " bits\n"
           "keys of that size now    %" PRId64 "\n"
           "keys that can be stored  %" PRId64 "\n"
           "keys in one request      %" PRId64 "\n"
           "key sizes                %" PRId64 " to %" PRId64 " bits\n"
           "additional SAE IDs       %" PRId64 "\n",
           value->key_size_bits, value->stored_key_count, value->max_key_count,
           value->max_key_per_request, value->min_key_size_bits, value->max_key_size_bits,
           value->max_sae_id_count);
}

static void print_json(const struct etsi014_status *value)
{
    struct buf text;

    buf_init(&text, JSON_MAX_BYTES);
    etsi014_status_put(&text, value);
    printf("%.*s\n", (int)text.length, (const char *)text.data);
    buf_free(&text);
}

static enum exit_code run(int argc, char **argv)
{
    struct option_row rows[KME_OPTION_COUNT + 1];
    struct status status = STATUS_INIT;
    struct kme_options options = {0};
    struct kme_session session;
    struct etsi014_status value;
    size_t word_count;
    bool json = false;

    kme_options_rows(&options, rows);
    rows[KME_OPTION_COUNT] = (struct option_row){"json", OPTION_FLAG, {.flag = &json}, 0, 0};
    if (!options_parse(rows, KME_OPTION_COUNT + 1, argc, argv, NULL, 0, &word_count, &status))
        return command_misused(&status, "status");
    if (!kme_session_open(&options, &session, &status))
        return command_failed(&status);
    if (client014_get_status(session.client, settings_peer(session.settings), &session.deadline,
                             &value, &status)) {
        if (json)
            print_json(&value);
        else
            print_table(settings_kme(session.settings), &value);
    } else {
        status_prefix(&status, "keys with peer %s", settings_peer(session.settings));
    }
    kme_session_close(&session);
    return status.outcome == OUTCOME_OK ? EXIT_DONE : command_failed(&status);
}

const struct command command_status = {
    .name = "status",
    .summary = "what a key server says about keys with a peer (ETSI 014 Get status)",
    .help = "usage: qkdctl status [--json] [--config FILE]\n"
            "\n"
            "  --json          the Status object as ETSI GS QKD 014 clause 6.1 has "
            "it\n" KME_OPTIONS_HELP,
    .run = run,
};
