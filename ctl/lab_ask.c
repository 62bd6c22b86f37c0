/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/lab.h"

#include <stdio.h>
#include <string.h>

#include "ctl/admin.h"
#include "ctl/metrics.h"

static void ask_health(unsigned port, const struct deadline *deadline, struct lab_kme_state *state)
{
    struct status status = STATUS_INIT;
    struct buf body;
    int code = 0;

    buf_init(&body, ADMIN_BODY_MAX_BYTES);
    if (admin_get(port, "/healthz", deadline, &code, &body, &status)) {
        state->healthy = code == 200;
        snprintf(state->health, sizeof(state->health), "%.*s", (int)body.length,
                 body.data != NULL ? (const char *)body.data : "");
        state->health[strcspn(state->health, "\r\n")] = '\0';
    } else {
        snprintf(state->health, sizeof(state->health), "%.*s", (int)sizeof(state->health) - 1,
                 status.text);
    }
    buf_free(&body);
}

static void read_streams(const char *text, struct lab_kme_state *state)
{
    double count;

    for (; state->stream_states < LAB_STREAM_STATES_MAX; state->stream_states++) {
        struct lab_streams *streams = &state->streams[state->stream_states];

        if (!metrics_sample(text, "qkd_kme_streams", "state", state->stream_states, streams->state,
                            sizeof(streams->state), &count))
            break;
        streams->count = (int64_t)count;
    }
}

static void read_metrics(const char *text, struct lab_kme_state *state)
{
    const char delivered[] = "qkd_kme_keys_delivered_total";
    bool found;

    state->link_up = metrics_sum(text, "qkd_kme_link_up", "", &found) > 0;
    state->delivered_to_initiators =
        (int64_t)metrics_sum(text, delivered, "role=\"initiator\"", &found);
    state->delivered_to_responders =
        (int64_t)metrics_sum(text, delivered, "role=\"responder\"", &found);
    state->available_bits =
        (int64_t)metrics_sum(text, "qkd_kme_available_bits", "", &state->metrics_known);
    read_streams(text, state);
}

void lab_kme_ask(const struct lab *lab, enum lab_kme kme, const struct deadline *deadline,
                 struct lab_kme_state *state)
{
    unsigned port = lab_port(lab, kme, LAB_PORT_ADMIN);
    struct status status = STATUS_INIT;
    struct buf body;
    int code = 0;

    *state = (struct lab_kme_state){.running = lab_kme_running(lab, kme)};
    if (!state->running) {
        snprintf(state->health, sizeof(state->health), "not running");
        return;
    }
    ask_health(port, deadline, state);
    buf_init(&body, ADMIN_BODY_MAX_BYTES + 1);
    if (admin_get(port, "/metrics", deadline, &code, &body, &status) && code == 200) {
        buf_put_u8(&body, 0);
        if (!body.failed)
            read_metrics((const char *)body.data, state);
    }
    buf_free(&body);
}
