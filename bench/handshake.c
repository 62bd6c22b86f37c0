/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ends of the handshake measurements, as processes of their own.
 *
 *     handshake server KIND WORKERS ADDRESS CNF CERT KEY
 *         prints "port N", then answers connections with that many forked processes until it is
 *         killed. KIND kept; or fresh: each process answers one connection and another one is
 *         forked, so that nothing is kept from one handshake to the next; or context: every
 *         connection has an SSL_CTX of its own
 *     handshake client CA [KIND ADDRESS:PORT CNF GROUPS]...
 *         reads lines "ROUNDS PERIOD_US ARM..." (numbers of the arms above, from 0); makes a
 *         handshake in each of them a round, in turn, with another one first each time, and
 *         begins at most one round in PERIOD_US. Prints "ARM OK TOTAL CLIENT SERVER" for each
 *         (nanoseconds, struct sample), and "end" after the last. KIND is kept; or fresh: in a
 *         process that was forked before the time begins; or context: with an SSL_CTX of its own;
 *         or http: the server is a web server
 *
 * The reason of the first failure of an arm goes to standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/deadline.h"
#include "bench/ends.h"

enum { ARMS_MAX = 64, LINE_BYTES = 4096, BACKLOG = 256, DECIMAL = 10, US = 1000 };

struct arm {
    struct end end;
    struct sockaddr_in address;
    enum talk talk;
    bool fresh;
    bool has_failed;
};

static int die(const char *what)
{
    fprintf(stderr, "handshake: %s\n", what);
    ERR_print_errors_fp(stderr);
    return 1;
}

/* --- server ---------------------------------------------------------------------------- */

static int listen_at(const char *address)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    socklen_t length = sizeof(name);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || inet_pton(AF_INET, address, &name.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&name, length) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&name, &length) != 0)
        return -1;
    printf("port %d\n", ntohs(name.sin_port));
    fflush(stdout);
    return fd;
}

/* Answers one connection, or all that come. */
static int work(const struct end *end, int listener, bool fresh)
{
    bool told = false;

    do {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            return die(strerror(errno));
        if (!end_answer(end, fd) && !told) {
            die("a handshake failed at the server");
            told = true;
        }
        ERR_clear_error();
    } while (!fresh);
    return 0;
}

static int serve(char **words)
{
    const bool fresh = strcmp(words[0], "fresh") == 0;
    struct end end = {.method = TLS_server_method(), .cert = words[4], .key = words[5]};
    int listener, free_workers = atoi(words[1]);

    if (!end_open(&end, words[3], strcmp(words[0], "context") == 0))
        return die("cannot set up the server");
    listener = listen_at(words[2]);
    if (listener < 0)
        return die(strerror(errno));
    for (;;) {
        for (; free_workers > 0; free_workers--) {
            pid_t child = fork();

            if (child == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                _exit(work(&end, listener, fresh));
            }
            if (child < 0)
                return die(strerror(errno));
        }
        if (wait(NULL) < 0 && errno != EINTR)
            return die(strerror(errno));
        free_workers++;
    }
}

/* --- client ---------------------------------------------------------------------------- */

/* A handshake in a process that has done nothing before. */
static bool connect_in_child(struct arm *arm, struct sample *sample)
{
    int pipe_fds[2], status = 1;
    bool came;
    pid_t child;

    if (pipe(pipe_fds) != 0)
        return false;
    child = fork();
    if (child == 0) {
        *sample = end_connect(&arm->end, &arm->address, arm->talk);
        if (!sample->ok)
            die("a handshake failed in a process of its own");
        _exit(write(pipe_fds[1], sample, sizeof(*sample)) != (ssize_t)sizeof(*sample));
    }
    close(pipe_fds[1]);
    came = child > 0 && read(pipe_fds[0], sample, sizeof(*sample)) == (ssize_t)sizeof(*sample);
    close(pipe_fds[0]);
    return came && waitpid(child, &status, 0) == child && status == 0;
}

static bool one_handshake(struct arm *arm, int number)
{
    struct sample sample = {0};

    if (arm->fresh) {
        if (!connect_in_child(arm, &sample))
            return false;
    } else {
        sample = end_connect(&arm->end, &arm->address, arm->talk);
        if (!sample.ok && !arm->has_failed) {
            fprintf(stderr, "arm %d: ", number);
            die("a handshake failed at the client");
            arm->has_failed = true;
        }
        ERR_clear_error();
    }
    printf("%d %d %lld %lld %lld\n", number, sample.ok, (long long)sample.total_ns,
           (long long)sample.client_ns, (long long)sample.server_ns);
    return true;
}

static void sleep_until(int64_t at_ns)
{
    const struct timespec at = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* "ROUNDS PERIOD_US ARM..." */
static bool obey(struct arm *arms, int arm_count, char *line)
{
    const long rounds = strtol(line, &line, DECIMAL);
    const int64_t period_ns = (int64_t)strtol(line, &line, DECIMAL) * US;
    const int64_t start_ns = monotonic_ns();
    int chosen[ARMS_MAX], count = 0;

    while (*line == ' ' && count < ARMS_MAX) {
        chosen[count] = (int)strtol(line, &line, DECIMAL);
        if (chosen[count] < 0 || chosen[count] >= arm_count)
            return false;
        count++;
    }
    for (long round = 0; round < rounds; round++) {
        sleep_until(start_ns + round * period_ns);
        for (int i = 0; i < count; i++) {
            const int number = chosen[(round + i) % count];

            if (!one_handshake(&arms[number], number))
                return false;
        }
    }
    printf("end\n");
    fflush(stdout);
    return true;
}

static bool read_address(const char *text, struct sockaddr_in *address)
{
    char host[INET_ADDRSTRLEN] = "";
    const char *colon = strrchr(text, ':');

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
        return false;
    memcpy(host, text, (size_t)(colon - text));
    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t)atoi(colon + 1));
    return inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

static bool new_arm(struct arm *arm, const char *ca, char **words)
{
    arm->end = (struct end){.method = TLS_client_method(), .ca = ca, .groups = words[3]};
    arm->fresh = strcmp(words[0], "fresh") == 0;
    arm->talk = strcmp(words[0], "http") == 0 ? TALK_HTTP : TALK_SAMPLE;
    return read_address(words[1], &arm->address) &&
           end_open(&arm->end, words[2], strcmp(words[0], "context") == 0);
}

static int run_client(int count, char **words)
{
    struct arm arms[ARMS_MAX] = {0};
    char line[LINE_BYTES];
    int arm_count = 0;

    for (int i = 1; i + 3 < count && arm_count < ARMS_MAX; i += 4)
        if (!new_arm(&arms[arm_count++], words[0], words + i))
            return die(words[i + 1]);
    while (fgets(line, sizeof(line), stdin) != NULL)
        if (!obey(arms, arm_count, line))
            return die(line);
    return 0;
}

int main(int count, char **words)
{
    signal(SIGPIPE, SIG_IGN);
    if (count == 8 && strcmp(words[1], "server") == 0)
        return serve(words + 2);
    if (count >= 7 && strcmp(words[1], "client") == 0)
        return run_client(count - 2, words + 2);
    fprintf(stderr, "usage: handshake server KIND WORKERS ADDRESS CNF CERT KEY\n"
                    "       handshake client CA [KIND ADDRESS:PORT CNF GROUPS]...\n");
    return 2;
}
