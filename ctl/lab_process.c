/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctl/file.h"
#include "ctl/self.h"

enum {
    CMDLINE_MAX_BYTES = 3 * 4096,
    STOP_WAIT_MS = 5000,
    KILL_WAIT_MS = 2000,
    EXEC_WAIT_MS = 2000,
    POLL_MS = 10,
    FIRST_INHERITED_FD = 3
};

extern char **environ;

/* Into a buffer that the caller frees in any case. */
static bool proc_read(pid_t pid, const char *name, struct buf *text)
{
    struct status status = STATUS_INIT;
    char path[64];

    buf_init(text, CMDLINE_MAX_BYTES);
    snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
    return file_read(path, 0, text, &status);
}

/* A process ID may have been given to another program since: the command line tells, and a
 * process that only waits to be reaped has none. */
bool lab_kme_running(const struct lab *lab, enum lab_kme kme)
{
    char config[PATH_MAX];
    struct status status = STATUS_INIT;
    struct buf cmdline;
    bool ours = false;

    if (lab->pids[kme] == 0 || !lab_path(lab, config, &status, "%s.conf", lab_kme_name(kme)))
        return false;
    if (proc_read(lab->pids[kme], "cmdline", &cmdline) && cmdline.length > 0)
        ours = memmem(cmdline.data, cmdline.length, "qkd-kme", strlen("qkd-kme")) != NULL &&
               memmem(cmdline.data, cmdline.length, config, strlen(config) + 1) != NULL;
    buf_free(&cmdline);
    return ours;
}

static bool write_pid(const struct lab *lab, enum lab_kme kme, struct status *status)
{
    char path[PATH_MAX];
    struct buf text;
    bool written;

    buf_init(&text, 32);
    buf_put_format(&text, "%ld\n", (long)lab->pids[kme]);
    written = lab_path(lab, path, status, "%s.pid", lab_kme_name(kme)) &&
              file_replace(path, 0644, &text, status);
    buf_free(&text);
    return written;
}

static void remove_pid(struct lab *lab, enum lab_kme kme)
{
    struct status status = STATUS_INIT;
    char path[PATH_MAX];

    lab->pids[kme] = 0;
    if (lab_path(lab, path, &status, "%s.pid", lab_kme_name(kme)))
        unlink(path);
}

/* Its own session, no terminal, nothing inherited but the log. */
static int spawn_daemon(const char *program, const char *config, const char *log, pid_t *pid)
{
    char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "--config",
                    (char *)(uintptr_t)config, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, FIRST_INHERITED_FD);
    error = posix_spawnp(pid, program, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static bool child_ended(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid;
}

/* For a moment after exec the kernel shows no command line, by which we know our servers. */
static void wait_for_command_line(const struct lab *lab, enum lab_kme kme)
{
    struct deadline deadline = deadline_in_ms(EXEC_WAIT_MS);
    struct timespec pause = {.tv_nsec = 1000000L};

    while (!lab_kme_running(lab, kme) && !child_ended(lab->pids[kme]) &&
           !deadline_passed(&deadline))
        nanosleep(&pause, NULL);
}

bool lab_kme_start(struct lab *lab, enum lab_kme kme, struct status *status)
{
    const char *name = lab_kme_name(kme);
    char program[PATH_MAX], config[PATH_MAX], log[PATH_MAX];
    int error;

    if (!self_beside(program, "qkd-kme"))
        memcpy(program, "qkd-kme", sizeof("qkd-kme")); /* then from PATH */
    if (!lab_path(lab, config, status, "%s.conf", name) ||
        !lab_path(lab, log, status, "%s.log", name))
        return false;
    error = spawn_daemon(program, config, log, &lab->pids[kme]);
    if (error != 0) {
        lab->pids[kme] = 0;
        return status_fail(status, OUTCOME_CONFIG, "cannot start %s for %s: %s", program, name,
                           strerror(error));
    }
    wait_for_command_line(lab, kme);
    /* At once, so that `lab down` finds it even if this call is cut off. */
    return write_pid(lab, kme, status) && lab_write_env(lab, status);
}

/* A process that ends loses its command line before it lets go of its ports and its store. */
static bool is_ending(pid_t pid)
{
    struct buf cmdline, stat;
    const char *name_end;
    bool ending = proc_read(pid, "cmdline", &cmdline) && cmdline.length == 0;

    ending = proc_read(pid, "stat", &stat) && ending;
    buf_put_u8(&stat, '\0');
    /* PID (NAME) STATE: Z and X are over. */
    name_end = ending && !stat.failed ? strrchr((const char *)stat.data, ')') : NULL;
    ending = name_end != NULL && name_end[1] == ' ' && name_end[2] != 'Z' && name_end[2] != 'X';
    buf_free(&cmdline);
    buf_free(&stat);
    return ending;
}

static bool wait_until_gone(const struct lab *lab, enum lab_kme kme, int64_t limit_ms)
{
    struct deadline deadline = deadline_in_ms(limit_ms);
    struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};

    while (lab_kme_running(lab, kme) || is_ending(lab->pids[kme])) {
        if (deadline_passed(&deadline))
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

/* Whether the key server is gone. */
static bool end_process(const struct lab *lab, enum lab_kme kme)
{
    const char *name = lab_kme_name(kme);
    long pid = (long)lab->pids[kme];

    if (!lab_kme_running(lab, kme))
        return true;
    kill(lab->pids[kme], SIGTERM);
    if (wait_until_gone(lab, kme, STOP_WAIT_MS))
        return true;
    kill(lab->pids[kme], SIGKILL);
    if (!wait_until_gone(lab, kme, KILL_WAIT_MS))
        return false;
    printf("%s (PID %ld) did not end within %d s and was killed\n", name, pid, STOP_WAIT_MS / 1000);
    return true;
}

bool lab_kme_stop(struct lab *lab, enum lab_kme kme, struct status *status)
{
    if (!end_process(lab, kme))
        return status_fail(status, OUTCOME_INTERNAL, "%s (PID %ld) cannot be ended",
                           lab_kme_name(kme), (long)lab->pids[kme]);
    /* Only a child of ours needs this: one that `lab up` gives up on. */
    if (lab->pids[kme] != 0)
        waitpid(lab->pids[kme], NULL, WNOHANG);
    remove_pid(lab, kme);
    return lab_write_env(lab, status);
}

bool lab_kme_kill(struct lab *lab, enum lab_kme kme, struct status *status)
{
    if (lab_kme_running(lab, kme)) {
        kill(lab->pids[kme], SIGKILL);
        if (!wait_until_gone(lab, kme, KILL_WAIT_MS))
            return status_fail(status, OUTCOME_INTERNAL, "%s (PID %ld) cannot be ended",
                               lab_kme_name(kme), (long)lab->pids[kme]);
        waitpid(lab->pids[kme], NULL, WNOHANG);
    }
    remove_pid(lab, kme);
    return lab_write_env(lab, status);
}
