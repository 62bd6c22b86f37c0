/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshakes in many threads of one process.
 *
 *     threads CA CERT KEY CLIENT_CNF SERVER_CNF HANDSHAKES THREADS GROUP...
 *
 * Begins handshakes, with the groups in turn, until HANDSHAKES have completed and standard input
 * has ended; a thread whose handshake failed pauses for a moment, and gives up after FAILURES_MAX
 * in a row. Prints a line for each, with the time on the monotonic clock:
 *
 *     BEGIN_NS END_NS completed GROUP
 *     BEGIN_NS END_NS failed GROUP client|server REASON
 *
 * Exit code 1 when a thread gave up.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/deadline.h"
#include "tests/tools/two_ends.h"

enum {
    THREADS_MAX = 64,
    HANDSHAKES_MAX = 1000000,
    FAILURES_MAX = 1000,
    PAUSE_MS = 20,
    FIRST_GROUP = 8, /* word of the command line */
};

struct load {
    struct two_ends ends;
    char **groups;
    int group_count;
    int handshakes;
    pthread_barrier_t start;
    atomic_int begun, completed;
    atomic_bool may_end, gave_up;
};

static void pause_ms(int ms)
{
    struct timespec time = {.tv_nsec = ms * 1000000L};

    nanosleep(&time, NULL);
}

static bool one_handshake(struct load *load)
{
    int number = atomic_fetch_add(&load->begun, 1);
    const char *group = load->groups[number % load->group_count];
    int64_t begin_ns = monotonic_ns();
    struct two_ends_outcome outcome;

    two_ends_handshake(&load->ends, group, &outcome);
    if (outcome.completed)
        printf("%" PRId64 " %" PRId64 " completed %s\n", begin_ns, monotonic_ns(), group);
    else
        printf("%" PRId64 " %" PRId64 " failed %s %s %s\n", begin_ns, monotonic_ns(), group,
               outcome.end, outcome.reason);
    return outcome.completed;
}

static bool goes_on(struct load *load)
{
    int completed = atomic_load(&load->completed);

    return completed < HANDSHAKES_MAX &&
           (completed < load->handshakes || !atomic_load(&load->may_end));
}

static void *work(void *vload)
{
    struct load *load = vload;
    int failures = 0;

    pthread_barrier_wait(&load->start);
    while (failures < FAILURES_MAX && goes_on(load)) {
        if (one_handshake(load)) {
            atomic_fetch_add(&load->completed, 1);
            failures = 0;
        } else {
            failures++;
            pause_ms(PAUSE_MS);
        }
    }
    if (failures == FAILURES_MAX)
        atomic_store(&load->gave_up, true);
    return NULL;
}

static void wait_for_end_of_input(void)
{
    char octet;

    while (read(STDIN_FILENO, &octet, 1) > 0)
        continue;
}

static int run(struct load *load, int threads)
{
    pthread_t started[THREADS_MAX];

    pthread_barrier_init(&load->start, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        if (pthread_create(&started[i], NULL, work, load) != 0) {
            fprintf(stderr, "threads: cannot start thread %d\n", i);
            exit(2);
        }
    }
    wait_for_end_of_input();
    atomic_store(&load->may_end, true);
    for (int i = 0; i < threads; i++)
        pthread_join(started[i], NULL);
    pthread_barrier_destroy(&load->start);
    return atomic_load(&load->gave_up) ? 1 : 0;
}

static bool read_number(const char *text, long most, int *number)
{
    char *end;
    long value = strtol(text, &end, 10);

    *number = (int)value;
    return *text != '\0' && *end == '\0' && value >= 1 && value <= most;
}

int main(int argc, char **argv)
{
    struct load load = {.groups = argv + FIRST_GROUP, .group_count = argc - FIRST_GROUP};
    int threads, code;

    if (argc <= FIRST_GROUP || !read_number(argv[6], HANDSHAKES_MAX, &load.handshakes) ||
        !read_number(argv[7], THREADS_MAX, &threads)) {
        fprintf(stderr, "usage: threads CA CERT KEY CLIENT_CNF SERVER_CNF HANDSHAKES THREADS "
                        "GROUP...\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (two_ends_open(&load.ends, &(struct two_ends_files){.ca = argv[1],
                                                           .cert = argv[2],
                                                           .key = argv[3],
                                                           .client_cnf = argv[4],
                                                           .server_cnf = argv[5]})) {
        code = run(&load, threads);
    } else {
        ERR_print_errors_fp(stderr);
        code = 2;
    }
    two_ends_close(&load.ends);
    return code;
}
