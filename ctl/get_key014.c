/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/get_key.h"

bool get_key014_check(const struct get_key_options *options, struct status *status)
{
    if (options->index != GET_KEY_NO_INDEX)
        return status_fail(
            status, OUTCOME_INPUT,
            "--index is for key streams, and the key server's URL is not etsi004://");
    if (options->key_ids != NULL && (options->number != 0 || options->size_bits != 0))
        return status_fail(status, OUTCOME_INPUT,
                           "--key-id claims keys that exist: --number and --size-bits are for "
                           "reserving new ones");
    return true;
}

static void take_keys(struct etsi014_container *container, struct got_keys *keys)
{
    for (size_t i = 0; i < container->count; i++) {
        struct etsi014_key *key = &container->keys[i];

        keys->keys[keys->count++] = (struct got_key){key->id, GET_KEY_NO_INDEX, key->key};
        key->key = NULL;
    }
}

bool get_key014(const struct get_key_options *options, struct kme_session *session,
                struct got_keys *keys, struct status *status)
{
    const char *peer = settings_peer(session->settings);
    struct etsi014_container container = {0};
    bool ok;

    if (options->key_ids != NULL)
        ok = client014_get_key_ids(session->client014, peer, options->ids, options->id_count, 0,
                                   &session->deadline, &container, NULL, status);
    else
        ok = client014_get_key(session->client014, peer,
                               options->number != 0 ? (size_t)options->number : 1,
                               options->size_bits != 0 ? options->size_bits : GET_KEY_BITS_DEFAULT,
                               &session->deadline, &container, NULL, status);
    if (ok)
        take_keys(&container, keys);
    etsi014_container_free(&container);
    return ok;
}
