/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "ctl/command.h"
#include "ctl/openssl_cnf.h"
#include "ctl/options.h"

static const struct doctor_step_table *const tables[] = {&doctor_steps_local, &doctor_steps_net};

enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

const struct doctor_step *doctor_step(enum doctor_step_id id)
{
    for (size_t t = 0; t < TABLES; t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            if (tables[t]->rows[i].id == id)
                return &tables[t]->rows[i];
    return NULL;
}

/* The first of the steps it needs that did not come to a good end; NULL when all did. */
static const struct doctor_step *find_obstacle(const struct doctor *doctor,
                                               const struct doctor_step *step)
{
    for (int id = 0; id < DOCTOR_STEP_COUNT; id++)
        if ((step->needs & DOCTOR_NEEDS(id)) != 0 && doctor->outcomes[id] >= FINDING_NOT_TRIED)
            return doctor_step((enum doctor_step_id)id);
    return NULL;
}

/* That one's own obstacle, and so on: what went wrong in the first place. */
static const struct doctor_step *find_root(const struct doctor *doctor,
                                           const struct doctor_step *obstacle)
{
    const struct doctor_step *next = obstacle;

    while (next != NULL) {
        obstacle = next;
        next = find_obstacle(doctor, obstacle);
    }
    return obstacle;
}

static void run_step(struct doctor *doctor, const struct doctor_step *step)
{
    const struct doctor_step *obstacle = find_obstacle(doctor, step);
    size_t first_finding = doctor->finding_count;

    doctor->current = step->id;
    if (obstacle == NULL)
        step->run(doctor);
    else
        doctor_not_tried(doctor, "because of: %s", find_root(doctor, obstacle)->title);
    ERR_clear_error();
    doctor_print_step(doctor, first_finding);
}

static void run_kme_steps(struct doctor *doctor)
{
    for (size_t i = 0; i < doctor_steps_net.count; i++) {
        const struct doctor_step *step = &doctor_steps_net.rows[i];

        if (!doctor_step_is_of_kme(step->id))
            continue;
        doctor->outcomes[step->id] = FINDING_OK;
        run_step(doctor, step);
    }
}

/* What comes after it needs one good key server, and not all. */
static void examine_kmes(struct doctor *doctor)
{
    size_t count = doctor->settings != NULL ? settings_kme_count(doctor->settings) : 1;
    enum finding_outcome best[DOCTOR_STEP_COUNT];

    for (doctor->kme_place = 0; doctor->kme_place < count; doctor->kme_place++) {
        run_kme_steps(doctor);
        for (int id = 0; id < DOCTOR_STEP_COUNT; id++)
            if (doctor->kme_place == 0 || doctor->outcomes[id] < best[id])
                best[id] = doctor->outcomes[id];
    }
    memcpy(doctor->outcomes, best, sizeof(best));
    doctor->kme_place = 0;
}

static void examine(struct doctor *doctor)
{
    doctor_print_head(doctor);
    for (size_t i = 0; i < doctor_steps_local.count; i++)
        run_step(doctor, &doctor_steps_local.rows[i]);
    examine_kmes(doctor);
    for (size_t i = 0; i < doctor_steps_net.count; i++)
        if (!doctor_step_is_of_kme(doctor_steps_net.rows[i].id))
            run_step(doctor, &doctor_steps_net.rows[i]);
}

static void doctor_free(struct doctor *doctor)
{
    settings_free(doctor->settings);
    openssl_cnf_free(doctor->values);
    doctor_program_free(&doctor->program);
    NCONF_free(doctor->conf);
    free(doctor);
}

static bool parse(int argc, char **argv, struct doctor_choices *choices, struct status *status)
{
    const struct option_row rows[] = {
        {"config", OPTION_TEXT, {.text = &choices->config}, 0, 0},
        {"peer-config", OPTION_TEXT, {.text = &choices->peer_config}, 0, 0},
        {"connect", OPTION_TEXT, {.text = &choices->connect}, 0, 0},
        {"json", OPTION_FLAG, {.flag = &choices->json}, 0, 0},
    };
    size_t word_count;

    return options_parse(rows, sizeof(rows) / sizeof(rows[0]), argc, argv, NULL, 0, &word_count,
                         status);
}

static enum exit_code run(int argc, char **argv)
{
    struct doctor *doctor = calloc(1, sizeof(*doctor));
    struct status status = STATUS_INIT;
    bool sound;

    if (doctor == NULL) {
        status_fail(&status, OUTCOME_INTERNAL, "out of memory");
        return command_failed(&status);
    }
    if (!parse(argc, argv, &doctor->choices, &status)) {
        doctor_free(doctor);
        return command_misused(&status, "doctor");
    }
    examine(doctor);
    doctor_print_end(doctor, &status);
    sound = doctor_is_sound(doctor);
    doctor_free(doctor);
    if (status.outcome != OUTCOME_OK)
        return command_failed(&status);
    return sound ? EXIT_DONE : EXIT_FAILED;
}

const struct command command_doctor = {
    .name = "doctor",
    .summary = "walks from an openssl.cnf to a handshake and says what is wrong and what to do",
    .help =
        "usage: qkdctl doctor [--config FILE] [--peer-config FILE] [--connect HOST:PORT]\n"
        "\n"
        "Examines an openssl.cnf step by step: the file, the provider's section, the module,\n"
        "the settings, certificates and groups, then the key server and, when asked, a\n"
        "handshake. For each step it says what is right, or what is wrong and what to do.\n"
        "With ETSI 014 one key is used to see that keys are delivered.\n"
        "A step that needs one that went wrong is not tried: the first wrong finding is\n"
        "the one to mend.\n"
        "\n"
        "  --config FILE        (default $OPENSSL_CONF, then OpenSSL's own file)\n"
        "  --peer-config FILE   the other SAE's, when it is on this machine: one key is got\n"
        "                       at both ends, and a handshake made\n"
        "  --connect HOST:PORT  a TLS server to make a handshake with, which uses a key\n"
        "  --json               for programs\n"
        "\n"
        "Exit status: 0 all right (there may be warnings), 1 something is wrong, 2 wrong call.\n",
    .run = run,
};
