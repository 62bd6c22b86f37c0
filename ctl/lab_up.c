/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "ctl/command.h"
#include "ctl/file.h"
#include "ctl/lab.h"
#include "ctl/options.h"

enum {
    UP_LIMIT_MS = 15000,
    ASK_LIMIT_MS = 1000,
    POLL_MS = 20,
    LOG_MAX_BYTES = 1048576,
    LOG_TAIL_LINES = 6
};

/* What `lab up` did to one key server. */
struct start {
    bool ours;        /* started by this call */
    off_t log_offset; /* where its log began */
};

static off_t log_size(const struct lab *lab, enum lab_kme kme)
{
    struct status status = STATUS_INIT;
    char path[PATH_MAX];
    struct stat info;

    if (!lab_path(lab, path, &status, "%s.log", lab_kme_name(kme)) || stat(path, &info) != 0)
        return 0;
    return info.st_size;
}

static void print_log_tail(const struct lab *lab, enum lab_kme kme, off_t offset)
{
    struct status status = STATUS_INIT;
    char path[PATH_MAX];
    struct buf text;
    size_t start;

    buf_init(&text, LOG_MAX_BYTES);
    if (lab_path(lab, path, &status, "%s.log", lab_kme_name(kme)) &&
        file_read(path, offset, &text, &status) && text.length > 0) {
        start = text.length - 1;
        for (int lines = 0; start > 0; start--)
            if (text.data[start - 1] == '\n' && ++lines == LOG_TAIL_LINES)
                break;
        fprintf(stderr, "The last lines of %s:\n%.*s", path, (int)(text.length - start),
                (const char *)text.data + start);
    }
    buf_free(&text);
}

/* Whether keys flow at one key server; if not, `state` says why. */
static bool keys_flow(struct lab *lab, enum lab_kme kme, struct lab_kme_state *state)
{
    struct deadline deadline = deadline_in_ms(ASK_LIMIT_MS);

    lab_kme_ask(lab, kme, &deadline, state);
    return state->healthy && state->available_bits > 0;
}

bool lab_wait_for_keys(struct lab *lab, struct status *status)
{
    struct deadline deadline = deadline_in_ms(UP_LIMIT_MS);
    struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};

    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT;) {
        struct lab_kme_state state;

        if (keys_flow(lab, kme, &state)) {
            kme++;
            continue;
        }
        if (!lab_kme_running(lab, LAB_KME_A) || !lab_kme_running(lab, LAB_KME_B))
            return status_fail(
                status, OUTCOME_KME, "%s ended while it started",
                lab_kme_name(lab_kme_running(lab, LAB_KME_A) ? LAB_KME_B : LAB_KME_A));
        if (deadline_passed(&deadline))
            return status_fail(status, OUTCOME_TIMEOUT, "no keys at %s after %d s: %s",
                               lab_kme_name(kme), UP_LIMIT_MS / 1000,
                               state.healthy ? "the key store is empty" : state.health);
        nanosleep(&pause, NULL);
    }
    return true;
}

static bool start_missing(struct lab *lab, struct start *starts, struct status *status)
{
    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++) {
        if (lab_kme_running(lab, kme))
            continue;
        starts[kme].log_offset = log_size(lab, kme);
        if (!lab_kme_start(lab, kme, status))
            return false;
        starts[kme].ours = true;
    }
    return lab_wait_for_keys(lab, status);
}

static void give_up(struct lab *lab, const struct start *starts)
{
    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++) {
        struct status status = STATUS_INIT;

        if (!starts[kme].ours)
            continue;
        if (!lab_kme_stop(lab, kme, &status))
            command_failed(&status);
        print_log_tail(lab, kme, starts[kme].log_offset);
    }
}

static void print_addresses(const struct lab *lab, bool already)
{
    printf("The laboratory is %sup; its quantum channel is simulated.\n",
           already ? "already " : "");
    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++)
        printf("  %s  https://localhost:%u  etsi004://localhost:%u  PID %ld\n", lab_kme_name(kme),
               lab_port(lab, kme, LAB_PORT_014), lab_port(lab, kme, LAB_PORT_004),
               (long)lab->pids[kme]);
}

static enum exit_code run(int argc, char **argv)
{
    struct start starts[LAB_KME_COUNT] = {0};
    struct status status = STATUS_INIT;
    enum exit_code code = EXIT_DONE;
    const char *words[1];
    size_t word_count;
    struct lab lab;

    if (!options_parse(NULL, 0, argc, argv, words, 1, &word_count, &status) || word_count != 1) {
        status_fail(&status, OUTCOME_INPUT, "lab up needs a folder");
        return command_misused(&status, "lab");
    }
    if (!lab_open(words[0], true, &lab, &status))
        return command_failed(&status);
    if (start_missing(&lab, starts, &status)) {
        print_addresses(&lab, !starts[LAB_KME_A].ours && !starts[LAB_KME_B].ours);
    } else {
        code = command_failed(&status);
        give_up(&lab, starts);
    }
    lab_close(&lab);
    return code;
}

const struct command lab_command_up = {.name = "up", .run = run};
