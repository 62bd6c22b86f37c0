/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/audience014.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/deadline.h"
#include "kme/config.h"
#include "kme/link.h"
#include "kme/store.h"

enum { RETRY_MIN_S = 1, RETRY_MAX_S = 60 };

static bool add_sae(const struct call014 *call, const char *sae, struct audience014 *audience,
                    struct etsi014_error *error)
{
    struct peer *peer = peers_of_sae(call->service->peers, sae);

    if (strcmp(sae, call->caller) == 0)
        return etsi014_refuse(error, 400, "the caller is named as a slave SAE itself");
    if (peer == NULL)
        return etsi014_refuse(error, 400, "the slave SAE '%.64s' is unknown", sae);
    for (size_t i = 0; i < audience->count; i++)
        if (strcmp(audience->saes[i], sae) == 0)
            return etsi014_refuse(error, 400, "the slave SAE '%.64s' is named twice", sae);
    audience->saes[audience->count] = sae;
    audience->peers[audience->count] = peer;
    audience->count++;
    return true;
}

bool audience014_find(const struct call014 *call, const struct etsi014_key_request *asked,
                      struct audience014 *audience, struct etsi014_error *error)
{
    int64_t most = call->service->env->config->limits.max_additional_saes;

    audience->count = 0;
    if (asked->additional_slave_count > (size_t)most)
        return etsi014_refuse(error, 400, "additional_slave_SAE_IDs has more than %lld entries",
                              (long long)most);
    if (!add_sae(call, call->route.sae, audience, error))
        return false;
    for (size_t i = 0; i < asked->additional_slave_count; i++)
        if (!add_sae(call, asked->additional_slaves[i], audience, error))
            return false;
    return true;
}

/* Whether none of the SAEs before this one is behind the same peer. */
static bool is_first_of_peer(const struct audience014 *audience, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (audience->peers[i] == audience->peers[index])
            return false;
    return true;
}

static void name_saes(const struct audience014 *audience, const struct peer *peer,
                      struct names *names)
{
    names->count = names->bytes = 0;
    for (size_t i = 0; i < audience->count; i++)
        if (audience->peers[i] == peer)
            names_add(names, audience->saes[i]);
}

/* How long the simulated quantum channel takes for what is missing. */
static int seconds_until(const struct call014 *call, const struct peer *peer, size_t missing_blocks)
{
    int64_t rate_bps = peer_config(call->service->env, peer)->simulated_rate_bps;
    int64_t bits = (int64_t)missing_blocks * BLOCK_BITS, wait_s;

    if (rate_bps == 0)
        return RETRY_MAX_S;
    wait_s = (bits + rate_bps - 1) / rate_bps;
    return wait_s < RETRY_MIN_S ? RETRY_MIN_S : wait_s > RETRY_MAX_S ? RETRY_MAX_S : (int)wait_s;
}

static bool is_served(const struct call014 *call, const struct peer *peer,
                      const struct etsi014_key_request *asked, bool *soon,
                      struct etsi014_error *error)
{
    size_t number = (size_t)asked->number;
    size_t blocks = number * store_blocks_for((uint32_t)asked->size_bits);
    size_t available = store_available(peer->store, BLOCK_OURS);

    *soon = false;
    if (!link_is_up(peer->link))
        return etsi014_refuse(error, 503, "no link to peer key server %.150s", peer->kme_id);
    if (!link_has_room(peer->link, number))
        return etsi014_refuse(error, 503, "peer key server %.150s is behind", peer->kme_id);
    if (blocks <= store_usable(peer->store, BLOCK_OURS))
        return true;
    *soon = blocks <= available;
    if (*soon) /* what is refused opens nothing: a crash would lose it */
        link_stock(peer->link, blocks);
    etsi014_refuse(error, 503, "%s", call014_no_material);
    error->retry_after_s = seconds_until(call, peer, *soon ? 0 : blocks - available);
    return false;
}

bool audience014_is_served(const struct call014 *call, const struct etsi014_key_request *asked,
                           const struct audience014 *audience, bool *soon,
                           struct etsi014_error *error)
{
    for (size_t i = 0; i < audience->count; i++)
        if (is_first_of_peer(audience, i) &&
            !is_served(call, audience->peers[i], asked, soon, error))
            return false;
    return true;
}

/* From the first peer's blocks. */
static bool cut(const struct call014 *call, uint32_t size_bits, const struct audience014 *audience,
                struct etsi014_key *key, struct status *status)
{
    struct peer *peer = audience->peers[0];
    struct assignment assignment;

    assignment.size_bits = size_bits;
    assignment.lifetime_s = (uint32_t)call->service->env->config->limits.key_lifetime_s;
    strcpy(assignment.initiator, call->caller);
    name_saes(audience, peer, &assignment.responders);
    if (!store_reserve(peer->store, &assignment, monotonic_ns(), &key->key, status))
        return false;
    if (!link_assign(peer->link, &assignment))
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for an assignment");
    key->id = assignment.key_id;
    peer->counters.lost_bits[LOSS_SURPLUS] += assignment.block_count * BLOCK_BITS - size_bits;
    return true;
}

/* To another peer. */
static bool relay(const struct call014 *call, struct peer *peer, const struct audience014 *audience,
                  const struct etsi014_key *key, struct status *status)
{
    struct frame_relay frame;
    struct secret *pad;
    bool done;

    frame.key.key_id = key->id;
    frame.key.lifetime_s = (uint32_t)call->service->env->config->limits.key_lifetime_s;
    strcpy(frame.key.initiator, call->caller);
    name_saes(audience, peer, &frame.key.responders);
    frame.pad.size_bytes = (uint32_t)key->key->size_bytes;
    if (!store_cut_ours(peer->store, &frame.pad, &pad, status))
        return false;
    for (size_t i = 0; i < pad->size_bytes; i++)
        frame.ciphertext[i] = key->key->bytes[i] ^ pad->bytes[i];
    peer->counters.lost_bits[LOSS_SURPLUS] +=
        frame.pad.block_count * BLOCK_BITS - frame.pad.size_bytes * 8;
    secret_free(pad);
    done = link_relay(peer->link, &frame);
    return done || status_fail(status, OUTCOME_INTERNAL, "out of memory for a relayed key");
}

bool audience014_reserve(const struct call014 *call, uint32_t size_bits,
                         const struct audience014 *audience, struct etsi014_key *key,
                         struct status *status)
{
    if (!cut(call, size_bits, audience, key, status))
        return false;
    for (size_t i = 1; i < audience->count; i++)
        if (is_first_of_peer(audience, i) &&
            !relay(call, audience->peers[i], audience, key, status))
            return false;
    return true;
}
