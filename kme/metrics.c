/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "kme/shelf.h"

static const char *const role_names[ROLE_COUNT] = {"initiator", "responder"};
static const char *const method_names[METHOD_COUNT] = {"status", "enc_keys", "dec_keys", "other"};
static const char *const outcome_names[METRIC_OUTCOME_COUNT] = {
    "ok", "bad_request", "unauthorised", "not_found", "unavailable", "aborted"};
static const char *const loss_names[LOSS_COUNT] = {
    "peer_restart", "link", "expired", "displaced", "mismatch", "surplus", "closed", "crash"};
static const char *const reload_names[RELOAD_COUNT] = {"done", "refused"};
static const char *const api_names[API_COUNT] = {"014", "004"};
static const char *const call004_names[CALL004_COUNT] = {"open_connect", "get_key", "close"};
static const char *const outcome004_names[OUTCOME004_COUNT] = {
    [ETSI004_SUCCESS] = "ok",
    [ETSI004_PEER_NOT_YET_CONNECTED] = "peer_not_yet_connected",
    [ETSI004_INSUFFICIENT_KEY] = "insufficient_key",
    [ETSI004_PEER_NOT_CONNECTED] = "peer_not_connected",
    [ETSI004_NO_QKD_CONNECTION] = "no_qkd_connection",
    [ETSI004_IN_USE] = "in_use",
    [ETSI004_TIMEOUT] = "timeout",
    [ETSI004_QOS_NOT_MET] = "qos_not_met",
    [ETSI004_METADATA_TOO_SMALL] = "metadata_too_small",
    [OUTCOME004_MALFORMED] = "malformed",
    [OUTCOME004_ABORTED] = "aborted",
};

const char *metrics_outcome004_name(unsigned outcome)
{
    return outcome004_names[outcome];
}

const char *metrics_call004_name(enum metric_call004 call)
{
    return call004_names[call];
}

const char *metrics_method_name(enum metric_method method)
{
    return method_names[method];
}

const char *metrics_loss_name(enum metric_loss reason)
{
    return loss_names[reason];
}

static const char *const hold_names[HOLD_COUNT] = {"no", "yes"};

static struct metrics_sae *find_sae(struct metrics *metrics, const char *sae)
{
    for (size_t i = 0; i < metrics->sae_count; i++)
        if (strcmp(metrics->saes[i].sae, sae) == 0)
            return &metrics->saes[i];
    return NULL;
}

bool metrics_add_sae(struct metrics *metrics, const char *sae)
{
    struct metrics_sae *saes, *added;

    if (find_sae(metrics, sae) != NULL)
        return true;
    saes = OPENSSL_realloc(metrics->saes, (metrics->sae_count + 1) * sizeof(*saes));
    if (saes == NULL)
        return false;
    metrics->saes = saes;
    added = &saes[metrics->sae_count];
    memset(added, 0, sizeof(*added));
    added->sae = OPENSSL_strdup(sae);
    if (added->sae == NULL)
        return false;
    metrics->sae_count++;
    return true;
}

void metrics_free(struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->sae_count; i++)
        OPENSSL_free(metrics->saes[i].sae);
    OPENSSL_free(metrics->saes);
    memset(metrics, 0, sizeof(*metrics));
}

void metrics_count_keys(struct metrics *metrics, enum metric_api api, const char *sae,
                        enum metric_role role, size_t count)
{
    struct metrics_sae *found = find_sae(metrics, sae);

    if (found != NULL)
        found->delivered[api][role] += count;
}

void metrics_saw_sae(struct metrics *metrics, const char *sae, int64_t now_ns)
{
    struct metrics_sae *found = find_sae(metrics, sae);

    if (found != NULL)
        found->seen_ns = now_ns;
}

void metrics_connected(struct metrics *metrics, enum metric_api api, bool resumed)
{
    metrics->connections[api]++;
    if (resumed)
        metrics->resumed[api]++;
}

/* A label value, quoted as the format asks. */
static void put_value(struct buf *buf, const char *value)
{
    buf_put_u8(buf, '"');
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            buf_put_text(buf, "\\n");
        else if (*value == '"' || *value == '\\')
            buf_put_format(buf, "\\%c", *value);
        else
            buf_put_u8(buf, (uint8_t)*value);
    }
    buf_put_u8(buf, '"');
}

static void put_head(struct buf *buf, const char *name, const char *type, const char *help)
{
    buf_put_format(buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_peer_sample(struct buf *buf, const char *name, const char *peer, uint64_t value)
{
    buf_put_format(buf, "%s{peer=", name);
    put_value(buf, peer);
    buf_put_format(buf, "} %" PRIu64 "\n", value);
}

static void put_delivered_to(const struct metrics_sae *sae, enum metric_api api, struct buf *buf)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        buf_put_format(buf,
                       "qkd_kme_keys_delivered_total{api=\"%s\",role=\"%s\",sae=", api_names[api],
                       role_names[role]);
        put_value(buf, sae->sae);
        buf_put_format(buf, "} %" PRIu64 "\n", sae->delivered[api][role]);
    }
}

static void put_delivered(const struct metrics *metrics, struct buf *buf)
{
    put_head(buf, "qkd_kme_keys_delivered_total", "counter",
             "Keys delivered to SAEs of this site.");
    for (size_t i = 0; i < metrics->sae_count; i++)
        for (int api = 0; api < API_COUNT; api++)
            put_delivered_to(&metrics->saes[i], (enum metric_api)api, buf);
}

static void put_streams(const struct metrics *metrics, const struct metrics_streams *streams,
                        struct buf *buf)
{
    put_head(buf, "qkd_kme_streams", "gauge", "Key streams of ETSI 004, by state at this end.");
    for (size_t i = 0; i < streams->state_count; i++)
        buf_put_format(buf, "qkd_kme_streams{state=\"%s\"} %zu\n", streams->names[i],
                       streams->counts[i]);
    put_head(buf, "qkd_kme_streams_opened_total", "counter",
             "Key streams that became known here, opened by an SAE of either site.");
    buf_put_format(buf, "qkd_kme_streams_opened_total %" PRIu64 "\n", metrics->streams_opened);
    put_head(buf, "qkd_kme_streams_closed_total", "counter", "Key streams that ended here.");
    buf_put_format(buf, "qkd_kme_streams_closed_total %" PRIu64 "\n", metrics->streams_closed);
}

static void put_requests(const struct metrics *metrics, struct buf *buf)
{
    put_head(buf, "qkd_kme_requests_total", "counter", "Requests of SAEs, by what came of them.");
    for (int method = 0; method < METHOD_COUNT; method++)
        for (int outcome = 0; outcome < METRIC_OUTCOME_COUNT; outcome++)
            buf_put_format(
                buf,
                "qkd_kme_requests_total{api=\"014\",method=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
                method_names[method], outcome_names[outcome], metrics->requests[method][outcome]);
    for (int call = 0; call < CALL004_COUNT; call++)
        for (int outcome = 0; outcome < OUTCOME004_COUNT; outcome++)
            buf_put_format(
                buf,
                "qkd_kme_requests_total{api=\"004\",method=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
                call004_names[call], outcome004_names[outcome],
                metrics->requests004[call][outcome]);
    put_head(buf, "qkd_kme_connections_total", "counter", "Connections of SAEs, after TLS.");
    for (int api = 0; api < API_COUNT; api++)
        buf_put_format(buf, "qkd_kme_connections_total{api=\"%s\"} %" PRIu64 "\n", api_names[api],
                       metrics->connections[api]);
    put_head(buf, "qkd_kme_tls_resumed_total", "counter",
             "Those of them that resumed a TLS session.");
    for (int api = 0; api < API_COUNT; api++)
        buf_put_format(buf, "qkd_kme_tls_resumed_total{api=\"%s\"} %" PRIu64 "\n", api_names[api],
                       metrics->resumed[api]);
}

static void put_duration(const struct histogram *histogram, enum metric_api api, const char *method,
                         enum metric_hold hold, struct buf *buf)
{
    char labels[96];

    snprintf(labels, sizeof(labels), "api=\"%s\",method=\"%s\",held=\"%s\"", api_names[api], method,
             hold_names[hold]);
    histogram_put(histogram, "qkd_kme_request_duration_seconds", labels, buf);
}

static void put_durations(const struct metrics *metrics, struct buf *buf)
{
    put_head(
        buf, "qkd_kme_request_duration_seconds", "histogram",
        "From the last octet of a request to its answer; held: it waited for the peer, for key "
        "material or for its rate.");
    for (int hold = 0; hold < HOLD_COUNT; hold++) {
        for (int method = 0; method < METHOD_COUNT; method++)
            put_duration(&metrics->durations[method][hold], API_014, method_names[method],
                         (enum metric_hold)hold, buf);
        for (int call = 0; call < CALL004_COUNT; call++)
            put_duration(&metrics->durations004[call][hold], API_004, call004_names[call],
                         (enum metric_hold)hold, buf);
    }
}

static void put_reloads(const struct metrics *metrics, struct buf *buf)
{
    put_head(buf, "qkd_kme_reloads_total", "counter", "Readings of the configuration on SIGHUP.");
    for (int i = 0; i < RELOAD_COUNT; i++)
        buf_put_format(buf, "qkd_kme_reloads_total{outcome=\"%s\"} %" PRIu64 "\n", reload_names[i],
                       metrics->reloads[i]);
}

static void put_gauges(const struct metrics_link *links, size_t count, struct buf *buf)
{
    put_head(buf, "qkd_kme_link_up", "gauge", "Whether the link to the peer key server is up.");
    for (size_t i = 0; i < count; i++)
        put_peer_sample(buf, "qkd_kme_link_up", links[i].peer, links[i].up);
    put_head(buf, "qkd_kme_available_bits", "gauge",
             "Key bits that initiators of this site can reserve, those at rest included.");
    for (size_t i = 0; i < count; i++)
        put_peer_sample(buf, "qkd_kme_available_bits", links[i].peer, links[i].available_bits);
    put_head(buf, "qkd_kme_open_bits", "gauge",
             "Unassigned key bits of both sites in memory only, which a crash would lose.");
    for (size_t i = 0; i < count; i++)
        put_peer_sample(buf, "qkd_kme_open_bits", links[i].peer, links[i].open_bits);
    put_head(buf, "qkd_kme_resting_bits", "gauge",
             "Unassigned key bits of both sites at rest, which a crash of both would not lose.");
    for (size_t i = 0; i < count; i++)
        put_peer_sample(buf, "qkd_kme_resting_bits", links[i].peer, links[i].resting_bits);
}

static void put_lost(const struct metrics_link *link, struct buf *buf)
{
    for (int reason = 0; reason < LOSS_COUNT; reason++) {
        buf_put_text(buf, "qkd_kme_lost_bits_total{peer=");
        put_value(buf, link->peer);
        buf_put_format(buf, ",reason=\"%s\"} %" PRIu64 "\n", loss_names[reason],
                       link->counters->lost_bits[reason]);
    }
}

static void put_material(const struct metrics_link *links, size_t count, struct buf *buf)
{
    put_head(buf, "qkd_kme_generated_bits_total", "counter",
             "Key bits of the simulated quantum channel that became usable here.");
    for (size_t i = 0; i < count; i++)
        put_peer_sample(buf, "qkd_kme_generated_bits_total", links[i].peer,
                        links[i].counters->generated_bits);
    put_head(buf, "qkd_kme_lost_bits_total", "counter",
             "Key bits that never became a key of two SAEs.");
    for (size_t i = 0; i < count; i++)
        put_lost(&links[i], buf);
}

void metrics_put_audit_lost(uint64_t lines, struct buf *buf)
{
    put_head(buf, "qkd_kme_audit_lost_lines_total", "counter",
             "Lines of the audit log that could not be written.");
    buf_put_format(buf, "qkd_kme_audit_lost_lines_total %" PRIu64 "\n", lines);
}

void metrics_put_shelf(const struct shelf_counts *counts, struct buf *buf)
{
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } rows[] = {
        {"qkd_kme_store_items", "gauge", "Items in the store on the disk.", counts->items},
        {"qkd_kme_store_bytes", "gauge", "Size of the store and its log.", counts->file_bytes},
        {"qkd_kme_store_queued_bytes", "gauge", "Changes that wait for the disk.",
         counts->queued_bytes},
        {"qkd_kme_store_transactions_total", "counter", "Batches that were written and synced.",
         counts->transactions},
        {"qkd_kme_store_damaged_items_total", "counter",
         "Items that did not unseal at the start, and were removed.", counts->damaged_items},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put_head(buf, rows[i].name, rows[i].type, rows[i].help);
        buf_put_format(buf, "%s %" PRIu64 "\n", rows[i].name, rows[i].value);
    }
}

void metrics_put(const struct metrics *metrics, const struct metrics_link *links, size_t link_count,
                 const struct metrics_streams *streams, struct buf *buf)
{
    put_delivered(metrics, buf);
    put_requests(metrics, buf);
    put_durations(metrics, buf);
    put_reloads(metrics, buf);
    put_streams(metrics, streams, buf);
    put_gauges(links, link_count, buf);
    put_material(links, link_count, buf);
}
