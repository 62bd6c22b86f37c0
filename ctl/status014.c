/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status.h"

#include <inttypes.h>
#include <stdio.h>

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

bool status014(struct kme_session *session, bool json, struct status *status)
{
    struct etsi014_status value;

    if (!client014_get_status(session->client014, settings_peer(session->settings),
                              &session->deadline, &value, status))
        return false;
    if (json)
        print_json(&value);
    else
        print_table(settings_kme(session->settings), &value);
    return true;
}
