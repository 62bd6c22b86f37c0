/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Levels and one sink. Takes text and key IDs; there is deliberately no function that takes
 * a secret. A NULL log drops everything. Each line is one write(2), so that threads and
 * forked processes that share a file do not tear each other's lines.
 */
#ifndef QKD_BASE_LOG_H
#define QKD_BASE_LOG_H

#include <stdbool.h>

#include "base/status.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_COUNT
};

struct log;

/* `spec` is LEVEL or LEVEL:FILE with LEVEL one of error, warn, info, debug; without a file,
 * standard error. `program` comes first in every line and must outlive the log. The file is
 * created with mode 0600 and appended to. NULL, and *status filled in, when spec is wrong. */
struct log *log_open(const char *spec, const char *program, struct status *status);
void log_close(struct log *log);

bool log_enabled(const struct log *log, enum log_level level);

/* One line; octets that are not printable become '?', what exceeds 1000 octets is cut. */
void log_line(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
