/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "ctl/file.h"
#include "ctl/options.h"

enum { ENV_MAX_BYTES = 16384, PORTS_PER_KME = 10, LOCK_WAIT_MS = 25000, LOCK_POLL_MS = 20 };

static const char *const kme_names[LAB_KME_COUNT] = {"kme-a", "kme-b"};
static const char *const env_prefixes[LAB_KME_COUNT] = {"KME_A", "KME_B"};

const char *lab_kme_name(enum lab_kme kme)
{
    return kme_names[kme];
}

unsigned lab_port(const struct lab *lab, enum lab_kme kme, enum lab_port which)
{
    return (unsigned)lab->base_port + PORTS_PER_KME * (unsigned)kme + (unsigned)which;
}

bool lab_path(const struct lab *lab, char path[static PATH_MAX], struct status *status,
              const char *format, ...)
{
    int length = snprintf(path, PATH_MAX, "%s/", lab->dir);
    va_list args;

    if (length > 0 && length < PATH_MAX) {
        va_start(args, format);
        length += vsnprintf(path + length, (size_t)(PATH_MAX - length), format, args);
        va_end(args);
    }
    if (length >= PATH_MAX)
        return status_fail(status, OUTCOME_INPUT, "the path %s is too long", lab->dir);
    return true;
}

/* The value of a line NAME=VALUE, when it is a number in range. */
static bool env_number(const char *text, const char *name, int64_t min, int64_t max, int64_t *value)
{
    size_t length = strlen(name);
    char digits[24];

    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        size_t span;

        line += *line == '\n';
        if (strncmp(line, name, length) != 0 || line[length] != '=')
            continue;
        line += length + 1;
        span = strcspn(line, "\n");
        if (span >= sizeof(digits))
            return false;
        memcpy(digits, line, span);
        digits[span] = '\0';
        return number_parse(digits, min, max, value);
    }
    return false;
}

static bool read_env(struct lab *lab, struct status *status)
{
    char path[PATH_MAX], name[16];
    struct buf text;

    buf_init(&text, ENV_MAX_BYTES);
    if (!lab_path(lab, path, status, "lab.env"))
        return false;
    if (access(path, F_OK) != 0)
        return status_fail(status, OUTCOME_CONFIG,
                           "%s holds no lab; 'qkdctl lab init %s' makes one", lab->dir, lab->dir);
    if (file_read(path, 0, &text, status)) {
        buf_put_u8(&text, 0);
        if (!env_number((const char *)text.data, "LAB_BASE_PORT", 1, LAB_BASE_PORT_MAX,
                        &lab->base_port))
            status_fail(status, OUTCOME_CONFIG, "%s has no line LAB_BASE_PORT=PORT", path);
        for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++) {
            int64_t pid = 0;

            snprintf(name, sizeof(name), "%s_PID", env_prefixes[kme]);
            if (env_number((const char *)text.data, name, 2, INT32_MAX, &pid))
                lab->pids[kme] = (pid_t)pid;
        }
    }
    buf_free(&text);
    return status->outcome == OUTCOME_OK;
}

/* flock has no time limit of its own. */
static bool take_lock(struct lab *lab, struct status *status)
{
    struct deadline deadline = deadline_in_ms(LOCK_WAIT_MS);
    struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};

    lab->lock_fd = open(lab->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lab->lock_fd < 0)
        return status_fail(status, OUTCOME_CONFIG, "cannot open %s: %s", lab->dir, strerror(errno));
    while (flock(lab->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || deadline_passed(&deadline))
            return status_fail(status, OUTCOME_INPUT, "another qkdctl is still busy with %s",
                               lab->dir);
        nanosleep(&pause, NULL);
    }
    return true;
}

bool lab_open(const char *dir, bool lock, struct lab *lab, struct status *status)
{
    *lab = (struct lab){.lock_fd = -1};
    if (realpath(dir, lab->dir) == NULL)
        return status_fail(status, OUTCOME_INPUT, "cannot use the folder %s: %s", dir,
                           strerror(errno));
    if ((!lock || take_lock(lab, status)) && read_env(lab, status))
        return true;
    lab_close(lab);
    return false;
}

void lab_close(struct lab *lab)
{
    if (lab->lock_fd >= 0)
        close(lab->lock_fd);
    lab->lock_fd = -1;
}

bool lab_write_env(const struct lab *lab, struct status *status)
{
    char path[PATH_MAX];
    struct buf text;

    if (!lab_path(lab, path, status, "lab.env"))
        return false;
    buf_init(&text, ENV_MAX_BYTES);
    buf_put_format(&text,
                   "# Written by qkdctl lab; to be sourced by a shell.\n"
                   "LAB_DIR='%s'\nLAB_BASE_PORT=%" PRId64 "\n",
                   lab->dir, lab->base_port);
    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++) {
        const char *prefix = env_prefixes[kme];

        buf_put_format(&text, "%s_014=https://localhost:%u\n", prefix,
                       lab_port(lab, kme, LAB_PORT_014));
        buf_put_format(&text, "%s_004=localhost:%u\n", prefix, lab_port(lab, kme, LAB_PORT_004));
        buf_put_format(&text, "%s_ADMIN=http://127.0.0.1:%u\n", prefix,
                       lab_port(lab, kme, LAB_PORT_ADMIN));
        if (lab->pids[kme] != 0)
            buf_put_format(&text, "%s_PID=%ld\n", prefix, (long)lab->pids[kme]);
    }
    file_replace(path, 0644, &text, status);
    buf_free(&text);
    return status->outcome == OUTCOME_OK;
}
