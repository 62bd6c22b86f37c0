/* SPDX-License-Identifier: Apache-2.0 */
/* Small files, whole: written once, replaced in one step, read up to a maximum. */
#ifndef QKD_CTL_FILE_H
#define QKD_CTL_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/status.h"

/* A new file; one that exists already is an error. */
bool file_create(const char *path, mode_t mode, const struct buf *content, struct status *status);

/* Replaces the file in one step: readers see the old content or the new. */
bool file_replace(const char *path, mode_t mode, const struct buf *content, struct status *status);

/* Appends the file from `offset` on to the buffer; larger than its maximum is an error. */
bool file_read(const char *path, off_t offset, struct buf *content, struct status *status);

#endif
