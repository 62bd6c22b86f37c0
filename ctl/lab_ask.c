/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/lab.h"

#include <stdio.h>
#include <string.h>

#include "ctl/overview.h"

static void read_links(json_t *links, struct lab_kme_state *state)
{
    json_t *link;
    size_t i;

    state->link_up = json_array_size(links) > 0;
    json_array_foreach(links, i, link)
    {
        state->link_up = state->link_up && json_is_true(json_object_get(link, "up"));
        state->available_bits += overview_number(link, "available_bits");
        state->stored_bits += overview_number(link, "stored_bits");
        state->capacity_bits += overview_number(link, "capacity_bits");
        state->rate_bps += overview_number(link, "rate_bps");
    }
}

static void read_saes(json_t *saes, struct lab_kme_state *state)
{
    json_t *sae;
    size_t i;

    json_array_foreach(saes, i, sae)
    {
        state->delivered_to_initiators += overview_number(sae, "delivered.014.initiator") +
                                          overview_number(sae, "delivered.004.initiator");
        state->delivered_to_responders += overview_number(sae, "delivered.014.responder") +
                                          overview_number(sae, "delivered.004.responder");
    }
}

static void read_streams(json_t *counts, struct lab_kme_state *state)
{
    const char *name;
    json_t *count;

    json_object_foreach(counts, name, count)
    {
        struct lab_streams *streams = &state->streams[state->stream_states];

        if (state->stream_states == LAB_STREAM_STATES_MAX)
            break;
        snprintf(streams->state, sizeof(streams->state), "%.*s", (int)sizeof(streams->state) - 1,
                 name);
        streams->count = json_integer_value(count);
        state->stream_states++;
    }
}

static void read_overview(json_t *overview, struct lab_kme_state *state)
{
    const char *reason;

    state->healthy = overview_is_healthy(overview, &reason);
    snprintf(state->health, sizeof(state->health), "%.*s", (int)sizeof(state->health) - 1, reason);
    read_links(json_object_get(overview, "links"), state);
    read_saes(json_object_get(overview, "saes"), state);
    read_streams(json_object_get(json_object_get(overview, "streams"), "states"), state);
    state->figures_known = true;
}

void lab_kme_ask(const struct lab *lab, enum lab_kme kme, const struct deadline *deadline,
                 struct lab_kme_state *state)
{
    struct status status = STATUS_INIT;
    json_t *overview;

    *state = (struct lab_kme_state){.running = lab_kme_running(lab, kme)};
    if (!state->running) {
        snprintf(state->health, sizeof(state->health), "not running");
        return;
    }
    overview = overview_get(lab_port(lab, kme, LAB_PORT_ADMIN), deadline, &status);
    if (overview != NULL)
        read_overview(overview, state);
    else
        snprintf(state->health, sizeof(state->health), "%.*s", (int)sizeof(state->health) - 1,
                 status.text);
    json_decref(overview);
}
