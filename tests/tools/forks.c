/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshakes in a process that forks.
 *
 *     forks CA CERT KEY CLIENT_CNF SERVER_CNF GROUP STEP...
 *
 *     handshake     one handshake, which must complete
 *     thread        the same in a thread, while the next steps go on
 *     join          waits for that thread
 *     children      CHILDREN forked processes at once, with some handshakes in each; they exit as
 *                   programs do
 *     read          prints "waiting", and goes on with a line of standard input
 *
 * Exit code 1 when a step failed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>

#include "tests/tools/two_ends.h"

enum { CHILDREN = 4, HANDSHAKES_OF_CHILD = 3, FIRST_STEP = 7, LINE_BYTES = 16 };

struct forks {
    struct two_ends ends;
    const char *group;
    pthread_t thread;
};

static bool handshake(struct forks *forks)
{
    struct two_ends_outcome outcome;

    two_ends_handshake(&forks->ends, forks->group, &outcome);
    if (!outcome.completed)
        fprintf(stderr, "forks: process %ld: %s: %s\n", (long)getpid(), outcome.end,
                outcome.reason);
    return outcome.completed;
}

/* A thread's result is NULL when it failed. */
static void *handshake_of_thread(void *forks)
{
    return handshake(forks) ? forks : NULL;
}

static bool begin_thread(struct forks *forks)
{
    return pthread_create(&forks->thread, NULL, handshake_of_thread, forks) == 0;
}

static bool join_thread(struct forks *forks)
{
    void *result = NULL;

    return pthread_join(forks->thread, &result) == 0 && result != NULL;
}

static bool be_a_child(struct forks *forks)
{
    for (int i = 0; i < HANDSHAKES_OF_CHILD; i++)
        if (!handshake(forks))
            return false;
    return true;
}

static bool children(struct forks *forks)
{
    pid_t pids[CHILDREN];
    bool ok = true;

    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            exit(be_a_child(forks) ? 0 : 1);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int code = 1;

        ok = pids[i] > 0 && waitpid(pids[i], &code, 0) == pids[i] && code == 0 && ok;
    }
    return ok;
}

static bool read_line(struct forks *forks)
{
    char line[LINE_BYTES];

    (void)forks;
    puts("waiting");
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) != NULL;
}

static const struct {
    const char *name;
    bool (*run)(struct forks *forks);
} steps[] = {
    {"handshake", handshake}, {"thread", begin_thread}, {"join", join_thread},
    {"children", children},   {"read", read_line},
};

static bool run_step(struct forks *forks, const char *name)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (strcmp(steps[i].name, name) != 0)
            continue;
        if (steps[i].run(forks))
            return true;
        break;
    }
    fprintf(stderr, "forks: process %ld: %s failed\n", (long)getpid(), name);
    return false;
}

int main(int count, char **words)
{
    struct forks forks = {.group = count > FIRST_STEP ? words[FIRST_STEP - 1] : ""};
    bool ok;

    if (count <= FIRST_STEP)
        return 2;
    ok = two_ends_open(&forks.ends, &(struct two_ends_files){.ca = words[1],
                                                             .cert = words[2],
                                                             .key = words[3],
                                                             .client_cnf = words[4],
                                                             .server_cnf = words[5]});
    if (!ok)
        ERR_print_errors_fp(stderr);
    for (int i = FIRST_STEP; ok && i < count; i++)
        ok = run_step(&forks, words[i]);
    if (!ok) /* a thread may still be using them */
        return 1;
    two_ends_close(&forks.ends);
    return 0;
}
