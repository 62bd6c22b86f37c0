/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log's file: whole lines, appended. Lines are gathered and written at most ten times a
 * second, or when 64 KiB have come together; never synced. What a failing disk does not take waits
 * in a bounded buffer, and what that does not hold is lost, counted, and told.
 */
#ifndef QKD_KME_AUDIT_H
#define QKD_KME_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "kme/env.h"

struct audit;

/* Without a file; takes no lines. NULL when out of memory. */
struct audit *audit_new(const struct env *env);

/* Writes what can be written, and closes. NULL is allowed. */
void audit_free(struct audit *audit);

/* From now on lines go to this file (NULL: none), which is made with mode 0640 and opened anew even
 * if it has the same name. On failure the old file stays. */
bool audit_open(struct audit *audit, const char *path, struct status *status);

bool audit_is_open(const struct audit *audit);

/* Where the next line is written, for audit_line_end; NULL when there is no file. */
struct buf *audit_line(struct audit *audit);

/* The line is complete, its line feed included. */
void audit_line_end(struct audit *audit);

/* Lines that were lost since the start. */
uint64_t audit_lost(const struct audit *audit);

#endif
