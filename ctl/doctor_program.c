/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/doctor_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"

enum { READ_BYTES = 4096, STREAMS = 2, EXIT_NOT_STARTED = 127, LOOK_AGAIN_MS = 5 };
enum { WORD_BYTES = 128, LINE_BYTES = 1024 };

/* In the child. */
static void become_program(const char *config, const char *const *words, int input, const int *to)
{
    static const struct rlimit no_core = {0, 0};
    char self[] = "qkdctl", name[] = DOCTOR_PROGRAM;
    char *argv[DOCTOR_PROGRAM_WORDS_MAX + 3] = {self, name};
    int from = input >= 0 ? input : open("/dev/null", O_RDONLY);

    for (int i = 0; i < DOCTOR_PROGRAM_WORDS_MAX && words[i] != NULL; i++)
        argv[i + 2] = strdup(words[i]);
    setrlimit(RLIMIT_CORE, &no_core);
    if (from < 0 || dup2(from, STDIN_FILENO) < 0 || dup2(to[0], STDOUT_FILENO) < 0 ||
        dup2(to[1], STDERR_FILENO) < 0 || setenv("OPENSSL_CONF", config, 1) != 0 ||
        setenv("QKD_LOG", "error", 1) != 0)
        _exit(EXIT_NOT_STARTED);
    execv("/proc/self/exe", argv);
    _exit(EXIT_NOT_STARTED);
}

/* False at the end of the stream. What is beyond the maximum is read and forgotten, so that the
 * program does not hang because of us; an octet always stays free for the NUL. */
static bool take(int fd, struct buf *into, bool *lost)
{
    char beyond[READ_BYTES];
    size_t room = DOCTOR_PROGRAM_MAX_BYTES - into->length;
    size_t wanted = room > 0 && room < READ_BYTES ? room : READ_BYTES;
    uint8_t *to = room > 0 ? buf_reserve(into, wanted + 1) : NULL;
    ssize_t got = read(fd, to != NULL ? (void *)to : beyond, wanted);

    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    if (to != NULL)
        into->length += (size_t)got;
    else
        *lost = *lost || got > 0;
    return got > 0;
}

static void terminate(struct buf *text)
{
    if (text->data != NULL)
        text->data[text->length++] = 0;
    else
        buf_put_u8(text, 0);
}

/* Reads both streams to their ends; false when the time is over before. */
static bool collect(struct doctor_program *program)
{
    struct pollfd streams[STREAMS] = {{program->streams[0], POLLIN, 0},
                                      {program->streams[1], POLLIN, 0}};
    struct buf *const into[STREAMS] = {&program->out, &program->errors};

    while (streams[0].fd >= 0 || streams[1].fd >= 0) {
        int ready = poll(streams, STREAMS, deadline_left_ms(&program->deadline));

        if (ready == 0 || deadline_passed(&program->deadline))
            return false;
        for (int i = 0; ready > 0 && i < STREAMS; i++)
            if (streams[i].revents != 0 && !take(streams[i].fd, into[i], &program->lost[i]))
                streams[i].fd = -1;
    }
    return true;
}

/* A program may close its streams and go on. */
static bool ends_in_time(const struct doctor_program *program, int *how)
{
    pid_t ended;

    while ((ended = waitpid(program->pid, how, WNOHANG)) == 0 &&
           !deadline_passed(&program->deadline))
        poll(NULL, 0, LOOK_AGAIN_MS);
    return ended == program->pid;
}

static void reap(struct doctor_program *program)
{
    int how = 0;
    bool in_time = collect(program) && ends_in_time(program, &how);

    if (!in_time) {
        kill(program->pid, SIGKILL);
        while (waitpid(program->pid, &how, 0) < 0 && errno == EINTR)
            continue;
    }
    program->end = !in_time ? PROGRAM_HUNG : WIFSIGNALED(how) ? PROGRAM_CRASHED : PROGRAM_EXITED;
    program->number = WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how);
}

static void close_pair(int *pair)
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

bool doctor_program_start(struct doctor_program *program, const char *config,
                          const char *const *words, int input, int limit_ms, struct status *status)
{
    int out[2] = {-1, -1}, errors[2] = {-1, -1};

    doctor_program_free(program);
    program->deadline = deadline_in_ms(limit_ms);
    fflush(stdout);
    if (pipe2(out, O_CLOEXEC) == 0 && pipe2(errors, O_CLOEXEC) == 0)
        program->pid = fork();
    else
        program->pid = -1;
    if (program->pid == 0)
        become_program(config, words, input, (const int[]){out[1], errors[1]});
    if (program->pid < 0) {
        status_fail(status, OUTCOME_INTERNAL, "cannot start a process: %s", strerror(errno));
        close_pair(out);
        close_pair(errors);
        program->pid = 0;
        return false;
    }
    close(out[1]);
    close(errors[1]);
    program->streams[0] = out[0];
    program->streams[1] = errors[0];
    return true;
}

bool doctor_program_end(struct doctor_program *program, struct status *status)
{
    if (program->pid > 0) {
        reap(program);
        close_pair(program->streams);
        program->pid = 0;
        terminate(&program->out);
        terminate(&program->errors);
    }
    if (program->end == PROGRAM_EXITED && program->number == EXIT_NOT_STARTED)
        status_fail(status, OUTCOME_INTERNAL, "cannot run this program once more");
    return status->outcome == OUTCOME_OK;
}

bool doctor_program_run(struct doctor_program *program, const char *config,
                        const char *const *words, int limit_ms, struct status *status)
{
    doctor_program_start(program, config, words, -1, limit_ms, status);
    return doctor_program_end(program, status);
}

void doctor_program_free(struct doctor_program *program)
{
    if (program->end != PROGRAM_NOT_RUN) {
        buf_free(&program->out);
        buf_free(&program->errors);
    }
    *program = (struct doctor_program){.end = PROGRAM_NOT_RUN};
    buf_init(&program->out, DOCTOR_PROGRAM_MAX_BYTES + 1);
    buf_init(&program->errors, DOCTOR_PROGRAM_MAX_BYTES + 1);
}

bool doctor_program_line(const struct doctor_program *program, const char *name, size_t index,
                         char *value, size_t value_bytes)
{
    const char *line = (const char *)program->out.data;
    size_t length = strlen(name);

    while (line != NULL && *line != '\0') {
        const char *end = strchr(line, '\n');

        if (end == NULL)
            return false;
        if (strncmp(line, name, length) == 0 && line[length] == ' ' && index-- == 0) {
            snprintf(value, value_bytes, "%.*s", (int)(end - line - (ptrdiff_t)length - 1),
                     line + length + 1);
            return true;
        }
        line = end + 1;
    }
    return false;
}

void doctor_program_stage(const struct doctor_program *program, char *stage, size_t stage_bytes)
{
    snprintf(stage, stage_bytes, "start");
    for (size_t i = 0; doctor_program_line(program, "at", i, stage, stage_bytes); i++)
        continue;
}

/* The oldest error is the cause, and comes with the most detail. */
bool doctor_program_loaded(const struct doctor_program *program, char *cause, size_t cause_bytes)
{
    char result[WORD_BYTES] = "", error[LINE_BYTES];

    doctor_program_line(program, "config", 0, result, sizeof(result));
    if (strcmp(result, "loaded") == 0)
        return true;
    snprintf(cause, cause_bytes, "no reason is given");
    for (size_t i = 0; doctor_program_line(program, "config-error", i, error, sizeof(error)); i++)
        if (i == 0 || strstr(error, "unknown module") != NULL)
            snprintf(cause, cause_bytes, "%s", error);
    return false;
}
