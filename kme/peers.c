/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/peers.h"

#include <inttypes.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/deadline.h"
#include "kme/link.h"
#include "kme/store.h"
#include "kme/stream004.h"

#define NS_PER_S INT64_C(1000000000)

/* What the shelf has for the link; nothing is put there before all stores have read theirs. */
static bool load_peer(const struct peers *peers, struct peer *peer, const char *kme_id,
                      struct status *status)
{
    const struct env *env = peers->env;
    struct store_loaded loaded;

    peer->kme_id = OPENSSL_strdup(kme_id);
    peer->store = store_new(env->shelf, kme_id);
    if (peer->kme_id == NULL || peer->store == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for the link to '%s'", kme_id);
    if (!store_load(peer->store, monotonic_ns(), &loaded, status))
        return status_prefix(status, "link to '%s'", kme_id);
    peer->counters.lost_bits[LOSS_CRASH] += loaded.lost_bits;
    if (loaded.blocks > 0 || loaded.keys > 0)
        log_line(env->log, LOG_LEVEL_INFO,
                 "link to '%s': %zu key bits and %zu reserved keys were at rest", kme_id,
                 loaded.blocks * BLOCK_BITS, loaded.keys);
    if (loaded.lost_bits > 0)
        log_line(env->log, LOG_LEVEL_WARN,
                 "link to '%s': the last process did not end cleanly: up to %" PRIu64
                 " key bits are lost",
                 kme_id, loaded.lost_bits);
    return true;
}

static bool start_peer(struct peers *peers, struct peer *peer, const char *kme_id,
                       struct status *status)
{
    store_tick(peer->store, monotonic_ns()); /* what a crash has lost is not counted again */
    peer->link = link_new(peers->env, peer, status);
    if (peer->link == NULL)
        return status_prefix(status, "link to '%s'", kme_id);
    peer->streams = streams004_new(peers->env, &peers->catalogue, peer, status);
    return peer->streams != NULL;
}

static bool has_door(const struct peers *peers, const struct address *address)
{
    for (size_t i = 0; i < peers->door_count; i++)
        if (strcmp(link_door_address(peers->doors[i]), address->text) == 0)
            return true;
    return false;
}

static bool open_door(struct peers *peers, const struct peer *peer, struct status *status)
{
    const struct address *address = &peer_config(peers->env, peer)->listen;
    struct link_door *door;

    if (!link_listens(peer->link) || has_door(peers, address))
        return true;
    door = link_door_new(peers->env, peers, address, status);
    if (door == NULL)
        return false;
    peers->doors[peers->door_count++] = door;
    return true;
}

bool peers_start(struct peers *peers, const struct env *env, struct status *status)
{
    const struct kme_config *config = env->config;

    peers->env = env;
    catalogue004_init(&peers->catalogue);
    peers->items = OPENSSL_zalloc(config->links.count * sizeof(*peers->items));
    if (peers->items == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for links");
    peers->count = config->links.count;
    if (!record004_load(&peers->catalogue.record, env, &peers->catalogue.burnt, status))
        return false;
    for (size_t i = 0; i < peers->count; i++)
        if (!load_peer(peers, &peers->items[i], config->links.items[i].peer_kme_id, status))
            return false;
    record004_start(&peers->catalogue.record, &peers->catalogue.burnt);
    for (size_t i = 0; i < peers->count; i++)
        if (!start_peer(peers, &peers->items[i], config->links.items[i].peer_kme_id, status))
            return false;
    for (size_t i = 0; i < peers->count; i++)
        if (!open_door(peers, &peers->items[i], status))
            return false;
    return true;
}

void peers_free(struct peers *peers)
{
    for (size_t i = 0; i < peers->door_count; i++)
        link_door_free(peers->doors[i]);
    for (size_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->items[i];

        streams004_free(peer->streams);
        link_free(peer->link);
        if (peer->store != NULL)
            store_rest_all(peer->store, monotonic_ns());
        store_free(peer->store);
        OPENSSL_free(peer->kme_id);
    }
    OPENSSL_free(peers->items);
    if (peers->env != NULL)
        record004_end(&peers->catalogue.record);
    if (peers->env != NULL)
        catalogue004_free(&peers->catalogue);
    memset(peers, 0, sizeof(*peers));
}

bool peers_are_idle(const struct peers *peers)
{
    for (size_t i = 0; i < peers->count; i++)
        if (link_is_up(peers->items[i].link) && !link_is_idle(peers->items[i].link))
            return false;
    return true;
}

struct peer *peers_of_sae(const struct peers *peers, const char *sae)
{
    const struct config_link *link = kme_config_link_of_sae(peers->env->config, sae);

    for (size_t i = 0; link != NULL && i < peers->count; i++)
        if (strcmp(peers->items[i].kme_id, link->peer_kme_id) == 0)
            return &peers->items[i];
    return NULL;
}

void peers_tick(struct peers *peers)
{
    int64_t now_ns = monotonic_ns();

    for (size_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->items[i];

        peer->counters.lost_bits[LOSS_EXPIRED] += store_expire(peer->store, now_ns);
        store_tick(peer->store, now_ns);
        rate_meter_sample(&peer->rate, now_ns, peer->counters.generated_bits);
        streams004_tick(peer->streams);
    }
    record004_put_waiting(&peers->catalogue.record);
    burnt004_expire(&peers->catalogue.burnt,
                    now_ns - peers->env->config->limits.max_ttl_s * NS_PER_S);
}
