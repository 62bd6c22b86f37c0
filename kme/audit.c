/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/crypto.h>

enum {
    LINE_MAX_BYTES = 8192,
    WRITE_AT_BYTES = 65536,
    PENDING_MAX_BYTES = 1048576,
    WRITE_AFTER_MS = 100,
    MODE = 0640
};

struct audit {
    const struct env *env;
    int fd; /* -1: none */
    struct buf line, pending;
    bool torn;    /* the first pending octets belong to a line that is partly in the file */
    bool failing; /* the last write failed; said once */
    uint64_t lost;
    struct event *tick;
};

static void on_tick(evutil_socket_t ignored, short what, void *arg);

struct audit *audit_new(const struct env *env)
{
    struct audit *audit = OPENSSL_zalloc(sizeof(*audit));

    if (audit == NULL)
        return NULL;
    audit->env = env;
    audit->fd = -1;
    buf_init(&audit->line, LINE_MAX_BYTES);
    buf_init(&audit->pending, PENDING_MAX_BYTES);
    audit->tick = evtimer_new(env->base, on_tick, audit);
    if (audit->tick == NULL) {
        OPENSSL_free(audit);
        return NULL;
    }
    return audit;
}

static void tell_failure(struct audit *audit, int error)
{
    if (!audit->failing)
        log_line(audit->env->log, LOG_LEVEL_ERROR,
                 "the audit log cannot be written: %s; up to %d octets of it are kept until it can",
                 strerror(error), PENDING_MAX_BYTES);
    audit->failing = true;
}

static void tell_success(struct audit *audit)
{
    if (audit->failing)
        log_line(audit->env->log, LOG_LEVEL_WARN,
                 "the audit log is written again; lost lines so far: %llu",
                 (unsigned long long)audit->lost);
    audit->failing = false;
}

static void write_pending(struct audit *audit)
{
    ssize_t count;

    if (audit->fd < 0 || audit->pending.length == 0)
        return;
    count = write(audit->fd, audit->pending.data, audit->pending.length);
    if (count < 0) {
        tell_failure(audit, errno);
    } else if ((size_t)count == audit->pending.length) {
        audit->torn = false;
        buf_reset(&audit->pending);
        tell_success(audit);
    } else if (count > 0) {
        audit->torn = audit->pending.data[count - 1] != '\n';
        buf_consume(&audit->pending, (size_t)count);
        tell_failure(audit, ENOSPC);
    }
}

static void plan_tick(struct audit *audit)
{
    static const struct timeval after = {WRITE_AFTER_MS / 1000, WRITE_AFTER_MS % 1000 * 1000};

    if (!event_pending(audit->tick, EV_TIMEOUT, NULL))
        event_add(audit->tick, &after);
}

static void on_tick(evutil_socket_t ignored, short what, void *arg)
{
    struct audit *audit = arg;

    (void)ignored;
    (void)what;
    write_pending(audit);
    if (audit->pending.length > 0)
        plan_tick(audit);
}

/* The rest of a torn line is of no use to another file. */
static void drop_torn_line(struct audit *audit)
{
    const uint8_t *end =
        audit->torn ? memchr(audit->pending.data, '\n', audit->pending.length) : NULL;

    audit->torn = false;
    if (end == NULL)
        return;
    buf_consume(&audit->pending, (size_t)(end - audit->pending.data) + 1);
    audit->lost++;
}

static void close_file(struct audit *audit)
{
    if (audit->fd < 0)
        return;
    write_pending(audit);
    drop_torn_line(audit);
    close(audit->fd);
    audit->fd = -1;
}

/* A line that a crash left half-written must not swallow our first. */
static void end_last_line(int fd, off_t size)
{
    char last = '\n';

    if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n' && write(fd, "\n", 1) != 1)
        return; /* the next write tells what is wrong */
}

static int open_file(const char *path, struct status *status)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, MODE);
    struct stat about;

    if (fd < 0) {
        status_fail(status, OUTCOME_CONFIG, "audit_log: cannot open %s: %s", path, strerror(errno));
        return -1;
    }
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        status_fail(status, OUTCOME_CONFIG, "audit_log: %s is no regular file", path);
        close(fd);
        return -1;
    }
    end_last_line(fd, about.st_size);
    return fd;
}

bool audit_open(struct audit *audit, const char *path, struct status *status)
{
    int fd = path == NULL ? -1 : open_file(path, status);

    if (path != NULL && fd < 0)
        return false;
    close_file(audit);
    audit->fd = fd;
    if (fd < 0)
        buf_reset(&audit->pending);
    else if (audit->pending.length > 0)
        plan_tick(audit);
    return true;
}

void audit_free(struct audit *audit)
{
    if (audit == NULL)
        return;
    close_file(audit);
    buf_free(&audit->line);
    buf_free(&audit->pending);
    event_free(audit->tick);
    OPENSSL_free(audit);
}

bool audit_is_open(const struct audit *audit)
{
    return audit->fd >= 0;
}

struct buf *audit_line(struct audit *audit)
{
    if (audit->fd < 0)
        return NULL;
    buf_reset(&audit->line);
    return &audit->line;
}

void audit_line_end(struct audit *audit)
{
    if (audit->line.failed || buf_reserve(&audit->pending, audit->line.length) == NULL)
        audit->lost++;
    else
        buf_put(&audit->pending, audit->line.data, audit->line.length);
    audit->pending.failed = false;
    if (audit->pending.length >= WRITE_AT_BYTES && !audit->failing)
        write_pending(audit);
    if (audit->pending.length > 0)
        plan_tick(audit);
}

uint64_t audit_lost(const struct audit *audit)
{
    return audit->lost;
}
