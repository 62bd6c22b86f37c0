/* SPDX-License-Identifier: Apache-2.0 */
/* SAEs and their requests, from the counters. */
#include <stdlib.h>

#include "kme/config.h"
#include "kme/overview.h"
#include "kme/overview_parts.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_US INT64_C(1000)

static const char *const api_names[API_COUNT] = {"014", "004"};

static int by_last_seen(const void *a, const void *b)
{
    const struct metrics_sae *const *one = a, *const *other = b;

    if ((*one)->seen_ns != (*other)->seen_ns)
        return (*one)->seen_ns > (*other)->seen_ns ? -1 : 1;
    return *one < *other ? -1 : *one > *other;
}

static void put_sae(const struct metrics_sae *sae, int64_t now_ns, struct json_out *out)
{
    json_out_object(out, NULL);
    json_out_text(out, "sae", sae->sae);
    json_out_object(out, "delivered");
    for (int api = 0; api < API_COUNT; api++) {
        json_out_object(out, api_names[api]);
        json_out_number(out, "initiator", (int64_t)sae->delivered[api][ROLE_INITIATOR]);
        json_out_number(out, "responder", (int64_t)sae->delivered[api][ROLE_RESPONDER]);
        json_out_object_end(out);
    }
    json_out_object_end(out);
    if (sae->seen_ns == 0)
        json_out_text(out, "last_seen_s", NULL);
    else
        json_out_number(out, "last_seen_s", (now_ns - sae->seen_ns) / NS_PER_S);
    json_out_object_end(out);
}

void overview_put_saes(const struct metrics *metrics, int64_t now_ns, struct json_out *out)
{
    const struct metrics_sae **saes = calloc(metrics->sae_count + 1, sizeof(*saes));

    json_out_number(out, "saes_total", (int64_t)metrics->sae_count);
    json_out_array(out, "saes");
    for (size_t i = 0; saes != NULL && i < metrics->sae_count; i++)
        saes[i] = &metrics->saes[i];
    if (saes != NULL)
        qsort(saes, metrics->sae_count, sizeof(*saes), by_last_seen);
    for (size_t i = 0; saes != NULL && i < metrics->sae_count && i < OVERVIEW_SAES_MAX; i++)
        put_sae(saes[i], now_ns, out);
    json_out_array_end(out);
    free(saes);
}

/* What one method has answered and how long that took. */
struct method_figures {
    const char *api, *method;
    uint64_t answered, refused;
    const struct histogram *durations; /* [HOLD_COUNT] */
};

static void put_quantile(struct json_out *out, const char *name, const struct histogram *all,
                         unsigned per_mille)
{
    int64_t ns = histogram_quantile_ns(all, per_mille);

    if (ns < 0)
        json_out_text(out, name, NULL);
    else
        json_out_number(out, name, ns / NS_PER_US);
}

static void put_method(const struct method_figures *figures, struct json_out *out)
{
    struct histogram all = {0};

    for (int hold = 0; hold < HOLD_COUNT; hold++)
        histogram_merge(&all, &figures->durations[hold]);
    json_out_object(out, NULL);
    json_out_text(out, "api", figures->api);
    json_out_text(out, "method", figures->method);
    json_out_number(out, "answered", (int64_t)figures->answered);
    json_out_number(out, "refused", (int64_t)figures->refused);
    json_out_number(out, "held",
                    (int64_t)histogram_count(&figures->durations[ANSWERED_AFTER_HOLD]));
    put_quantile(out, "p50_us", &all, 500);
    put_quantile(out, "p99_us", &all, 990);
    json_out_object_end(out);
}

static uint64_t sum(const uint64_t *counts, size_t count)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += counts[i];
    return total;
}

void overview_put_requests(const struct metrics *metrics, struct json_out *out)
{
    struct method_figures figures;

    json_out_array(out, "requests");
    for (int method = 0; method < METHOD_COUNT; method++) {
        const uint64_t *counts = metrics->requests[method];

        figures = (struct method_figures){
            api_names[API_014], metrics_method_name((enum metric_method)method), counts[METRIC_OK],
            sum(counts, METRIC_OUTCOME_COUNT) - counts[METRIC_OK], metrics->durations[method]};
        put_method(&figures, out);
    }
    for (int call = 0; call < CALL004_COUNT; call++) {
        const uint64_t *counts = metrics->requests004[call];
        uint64_t answered = counts[ETSI004_SUCCESS] + counts[ETSI004_PEER_NOT_YET_CONNECTED];

        figures = (struct method_figures){
            api_names[API_004], metrics_call004_name((enum metric_call004)call), answered,
            sum(counts, OUTCOME004_COUNT) - answered, metrics->durations004[call]};
        put_method(&figures, out);
    }
    json_out_array_end(out);
}
