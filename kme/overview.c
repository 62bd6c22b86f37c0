/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/overview.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"
#include "kme/config.h"
#include "kme/journal.h"
#include "kme/json_out.h"
#include "kme/link.h"
#include "kme/misbehave.h"
#include "kme/overview_parts.h"
#include "kme/process_figures.h"
#include "kme/shelf.h"
#include "kme/store.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

static void put_health(const struct overview_health *health, struct json_out *out)
{
    const char *line = (const char *)health->reasons->data;
    size_t left = health->ok ? 0 : health->reasons->length;

    json_out_object(out, "health");
    json_out_bool(out, "ok", health->ok);
    json_out_array(out, "reasons");
    while (left > 0) {
        const char *end = memchr(line, '\n', left);
        size_t length = end != NULL ? (size_t)(end - line) : left;
        char text[512];

        snprintf(text, sizeof(text), "%.*s", (int)length, line);
        json_out_text(out, NULL, text);
        left -= end != NULL ? length + 1 : length;
        line += length + 1;
    }
    json_out_array_end(out);
    json_out_object_end(out);
}

static void put_lost_bits(const struct metrics_peer *counters, struct json_out *out)
{
    json_out_object(out, "lost_bits");
    for (int reason = 0; reason < LOSS_COUNT; reason++)
        json_out_number(out, metrics_loss_name((enum metric_loss)reason),
                        (int64_t)counters->lost_bits[reason]);
    json_out_object_end(out);
}

static int64_t bits(size_t blocks)
{
    return (int64_t)blocks * BLOCK_BITS;
}

static void put_link(const struct env *env, const struct peer *peer, int64_t now_ns,
                     struct json_out *out)
{
    size_t resting = store_blocks(peer->store, BLOCK_OURS, SEGMENT_RESTING) +
                     store_blocks(peer->store, BLOCK_PEERS, SEGMENT_RESTING);

    json_out_object(out, NULL);
    json_out_text(out, "peer", peer->kme_id);
    json_out_bool(out, "up", link_is_up(peer->link));
    json_out_number(out, "for_s", (now_ns - link_since_ns(peer->link)) / NS_PER_S);
    json_out_number(out, "rate_bps", peer_config(env, peer)->simulated_rate_bps);
    json_out_number(out, "measured_rate_bps", rate_meter_per_s(&peer->rate));
    json_out_number(out, "available_bits", bits(store_available(peer->store, BLOCK_OURS)));
    json_out_number(out, "stored_bits", bits(store_unassigned(peer->store)));
    json_out_number(out, "resting_bits", bits(resting));
    json_out_number(out, "open_bits", bits(store_unassigned(peer->store) - resting));
    json_out_number(out, "capacity_bits", bits(link_capacity_blocks(peer->link)));
    json_out_number(out, "generated_bits", (int64_t)peer->counters.generated_bits);
    put_lost_bits(&peer->counters, out);
    json_out_object_end(out);
}

static void put_store(const struct env *env, struct json_out *out)
{
    struct status status = STATUS_INIT;
    bool failed = env->shelf != NULL && !shelf_ok(env->shelf, &status);

    json_out_object(out, "store");
    json_out_text(out, "kind", env->shelf != NULL ? "sqlite" : "memory");
    json_out_bool(out, "sealed", env->shelf != NULL && env->config->store.key_file != NULL);
    json_out_text(out, "failure", failed ? status.text : NULL);
    json_out_object_end(out);
}

/* null for what is not known. */
static void put_known(struct json_out *out, const char *name, int64_t value)
{
    if (value >= 0)
        json_out_number(out, name, value);
    else
        json_out_text(out, name, NULL);
}

static void put_process(struct json_out *out)
{
    struct process_figures figures;

    process_figures_read(&figures);
    json_out_object(out, "process");
    put_known(out, "resident_bytes", figures.resident_bytes);
    put_known(out, "descriptors", figures.descriptors);
    put_known(out, "descriptors_max", figures.descriptors_max);
    json_out_object_end(out);
}

static void put_misbehaviour(const struct misbehave *set, struct json_out *out)
{
    json_t *rules = misbehave_json(set);
    char *text = rules != NULL ? json_dumps(rules, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

    json_out_raw(out, "misbehave", text != NULL ? text : "null");
    json_decref(rules);
    free(text);
}

static void put_audit(const struct journal *journal, struct json_out *out)
{
    json_out_object(out, "audit_log");
    json_out_bool(out, "open", journal_is_open(journal));
    json_out_number(out, "lost_lines", (int64_t)journal_lost(journal));
    json_out_object_end(out);
}

void overview_put(const struct env *env, const struct peers *peers,
                  const struct overview_health *health, int64_t started_ns, struct buf *body)
{
    int64_t now_ns = monotonic_ns();
    struct json_out out;

    json_out_init(&out, body);
    json_out_object(&out, NULL);
    json_out_text(&out, "kme_id", env->config->kme_id);
    json_out_text(&out, "version", QKD_VERSION);
    json_out_bool(&out, "simulated", true);
    json_out_text(&out, "quantum_channel", "simulated");
    json_out_number(&out, "uptime_ms", (now_ns - started_ns) / NS_PER_MS);
    put_health(health, &out);
    json_out_array(&out, "links");
    for (size_t i = 0; i < peers->count; i++)
        put_link(env, &peers->items[i], now_ns, &out);
    json_out_array_end(&out);
    overview_put_saes(env->metrics, now_ns, &out);
    overview_put_requests(env->metrics, &out);
    overview_put_streams(peers, now_ns, &out);
    journal_put_faults(env->journal, &out);
    put_misbehaviour(env->misbehave, &out);
    put_store(env, &out);
    put_process(&out);
    put_audit(env->journal, &out);
    json_out_object_end(&out);
    buf_put_u8(body, '\n');
}
