/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "ctl/command.h"
#include "ctl/lab.h"
#include "ctl/options.h"
#include "ctl/overview.h"

enum { ASK_LIMIT_MS = 2000, ERRORS_SHOWN = 5 };

static int64_t stream_count(const struct lab_kme_state *state)
{
    int64_t sum = 0;

    for (size_t i = 0; i < state->stream_states; i++)
        sum += state->streams[i].count;
    return sum;
}

static int fill_percent(const struct lab_kme_state *state)
{
    return state->capacity_bits > 0 ? (int)(100 * state->stored_bits / state->capacity_bits) : 0;
}

static void print_row(const struct lab *lab, enum lab_kme kme, const struct lab_kme_state *state)
{
    if (!state->figures_known) {
        printf("%-6s %8ld  %-8s %s\n", lab_kme_name(kme), (long)lab->pids[kme],
               state->running ? "running" : "down", state->health);
        return;
    }
    printf("%-6s %8ld  %-8s %-5s %4d %% %15" PRId64 " %10" PRId64 " %10" PRId64 " %8" PRId64
           " %10" PRId64 "  %s\n",
           lab_kme_name(kme), (long)lab->pids[kme], "running", state->link_up ? "up" : "down",
           fill_percent(state), state->available_bits, state->delivered_to_initiators,
           state->delivered_to_responders, stream_count(state), state->rate_bps, state->health);
}

static json_t *streams_json(const struct lab_kme_state *state)
{
    json_t *streams = json_object();

    for (size_t i = 0; i < state->stream_states; i++)
        json_object_set_new(streams, state->streams[i].state,
                            json_integer(state->streams[i].count));
    return streams;
}

static json_t *row_json(const struct lab *lab, enum lab_kme kme, const struct lab_kme_state *state)
{
    return json_pack("{s:s, s:i, s:b, s:b, s:s, s:b, s:I, s:I, s:I, s:o, s:I, s:I, s:I}", "name",
                     lab_kme_name(kme), "pid", (int)lab->pids[kme], "running", (int)state->running,
                     "healthy", (int)state->healthy, "health", state->health, "link_up",
                     (int)state->link_up, "available_bits", (json_int_t)state->available_bits,
                     "keys_delivered_to_initiators", (json_int_t)state->delivered_to_initiators,
                     "keys_delivered_to_responders", (json_int_t)state->delivered_to_responders,
                     "streams", streams_json(state), "simulated_rate_bps",
                     (json_int_t)state->rate_bps, "stored_bits", (json_int_t)state->stored_bits,
                     "capacity_bits", (json_int_t)state->capacity_bits);
}

static bool print_json(const struct lab *lab, const struct lab_kme_state *states,
                       struct status *status)
{
    json_t *servers = json_array(), *whole = json_object();
    char *text = NULL;

    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++)
        json_array_append_new(servers, row_json(lab, kme, &states[kme]));
    json_object_set(whole, "servers", servers);
    json_object_set_new(whole, "quantum_channel", json_string("simulated"));
    if (json_array_size(servers) == LAB_KME_COUNT)
        text = json_dumps(whole, JSON_INDENT(2));
    if (text != NULL)
        puts(text);
    free(text);
    json_decref(servers);
    json_decref(whole);
    return text != NULL || status_fail(status, OUTCOME_INTERNAL, "out of memory for JSON");
}

static void print_table(const struct lab *lab, const struct lab_kme_state *states)
{
    printf("%-6s %8s  %-8s %-5s %6s %15s %10s %10s %8s %10s  %s\n", "server", "PID", "process",
           "link", "store", "available bits", "initiator", "responder", "key", "link", "health");
    printf("%-6s %8s  %-8s %-5s %6s %15s %10s %10s %8s %10s\n", "", "", "", "", "full", "", "keys",
           "keys", "streams", "bit/s");
    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++)
        print_row(lab, kme, &states[kme]);
    puts("The quantum channel of this laboratory is simulated.");
}

/* What went wrong last. */
static void print_errors(const struct lab *lab, enum lab_kme kme, const struct deadline *deadline)
{
    struct status status = STATUS_INIT;
    json_t *overview = overview_get(lab_port(lab, kme, LAB_PORT_ADMIN), deadline, &status);
    char heading[32];

    snprintf(heading, sizeof(heading), "last errors of %s", lab_kme_name(kme));
    if (overview != NULL)
        overview_print_errors(overview, heading, ERRORS_SHOWN);
    json_decref(overview);
}

static enum exit_code run(int argc, char **argv)
{
    struct deadline deadline = deadline_in_ms(ASK_LIMIT_MS);
    struct lab_kme_state states[LAB_KME_COUNT];
    struct status status = STATUS_INIT;
    const char *words[1];
    size_t word_count;
    bool json = false;
    struct lab lab;
    const struct option_row rows[] = {{"json", OPTION_FLAG, {.flag = &json}, 0, 0}};

    if (!options_parse(rows, 1, argc, argv, words, 1, &word_count, &status) || word_count != 1) {
        status_fail(&status, OUTCOME_INPUT, "lab status needs a folder");
        return command_misused(&status, "lab");
    }
    if (!lab_open(words[0], false, &lab, &status))
        return command_failed(&status);
    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++)
        lab_kme_ask(&lab, kme, &deadline, &states[kme]);
    if (json) {
        if (!print_json(&lab, states, &status))
            return command_failed(&status);
    } else {
        print_table(&lab, states);
        for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++)
            if (states[kme].figures_known)
                print_errors(&lab, kme, &deadline);
    }
    return states[LAB_KME_A].healthy && states[LAB_KME_B].healthy ? EXIT_DONE : EXIT_FAILED;
}

const struct command lab_command_status = {.name = "status", .run = run};
