/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { LINE_BYTES = 1100, TEXT_BYTES = 1001 };

struct log {
    enum log_level level;
    int fd;
    bool owns_fd;
    bool may_break; /* writing may raise SIGPIPE */
    const char *program;
};

static const char *const level_names[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

static bool find_level(const char *spec, size_t length, enum log_level *level)
{
    for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (strlen(level_names[i]) == length && memcmp(level_names[i], spec, length) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* Only a file of our own is sure to stay what it is. */
static bool may_break(int fd, bool is_ours)
{
    struct stat file;

    return !is_ours || fstat(fd, &file) != 0 || S_ISFIFO(file.st_mode) || S_ISSOCK(file.st_mode);
}

struct log *log_open(const char *spec, const char *program, struct status *status)
{
    const char *colon = strchr(spec, ':');
    size_t level_length = colon != NULL ? (size_t)(colon - spec) : strlen(spec);
    enum log_level level;
    struct log *log;

    if (!find_level(spec, level_length, &level)) {
        status_fail(status, OUTCOME_CONFIG,
                    "log level '%.*s' is not one of error, warn, info, debug", (int)level_length,
                    spec);
        return NULL;
    }
    log = OPENSSL_zalloc(sizeof(*log));
    if (log == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for a log");
        return NULL;
    }
    log->level = level;
    log->program = program;
    log->fd = STDERR_FILENO;
    if (colon != NULL) {
        log->fd = open(colon + 1, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        log->owns_fd = true;
    }
    if (log->fd < 0) {
        status_fail(status, OUTCOME_CONFIG, "cannot open the log file '%s': %s", colon + 1,
                    strerror(errno));
        OPENSSL_free(log);
        return NULL;
    }
    log->may_break = may_break(log->fd, log->owns_fd);
    return log;
}

void log_close(struct log *log)
{
    if (log == NULL)
        return;
    if (log->owns_fd)
        close(log->fd);
    OPENSSL_free(log);
}

bool log_enabled(const struct log *log, enum log_level level)
{
    return log != NULL && level <= log->level;
}

/* The signals are not ours to set. */
static void write_without_signal(int fd, const char *line, size_t length)
{
    static const struct timespec at_once = {0, 0};
    sigset_t pipe_signal, pending, before;
    bool was_pending;

    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    if (write(fd, line, length) < 0 && errno == EPIPE && !was_pending)
        sigtimedwait(&pipe_signal, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* A log that cannot be written must not stop a handshake, nor the program. */
static void write_quietly(const struct log *log, const char *line, size_t length)
{
    if (log->may_break)
        write_without_signal(log->fd, line, length);
    else if (write(log->fd, line, length) < 0)
        return;
}

void log_line(const struct log *log, enum log_level level, const char *format, ...)
{
    char line[LINE_BYTES], text[TEXT_BYTES];
    struct timespec now;
    struct tm utc;
    va_list args;
    int length;

    if (!log_enabled(log, level))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    length = snprintf(line, sizeof(line), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %.20s[%ld] %s %s\n",
                      utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                      utc.tm_sec, now.tv_nsec / 1000000, log->program, (long)getpid(),
                      level_names[level], text);
    if (length > 0)
        write_quietly(log, line, (size_t)length);
}
