/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_CHUNK_BYTES = 4096 };

static bool write_all(int fd, const struct buf *content)
{
    for (size_t done = 0; done < content->length;) {
        ssize_t count = write(fd, content->data + done, content->length - done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        done += (size_t)count;
    }
    return true;
}

static bool write_new(const char *path, int flags, mode_t mode, const struct buf *content,
                      struct status *status)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, mode);
    bool written;

    if (fd < 0)
        return status_fail(status, OUTCOME_CONFIG, "cannot create %s: %s", path, strerror(errno));
    written = fchmod(fd, mode) == 0 && write_all(fd, content);
    if (close(fd) == 0 && written && !content->failed)
        return true;
    status_fail(status, OUTCOME_CONFIG, "cannot write %s: %s", path,
                content->failed ? "its content is too large" : strerror(errno));
    unlink(path);
    return false;
}

bool file_create(const char *path, mode_t mode, const struct buf *content, struct status *status)
{
    return write_new(path, O_EXCL, mode, content, status);
}

bool file_replace(const char *path, mode_t mode, const struct buf *content, struct status *status)
{
    char temporary[PATH_MAX];

    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
        return status_fail(status, OUTCOME_INPUT, "the path %s is too long", path);
    if (!write_new(temporary, O_TRUNC, mode, content, status))
        return false;
    if (rename(temporary, path) != 0) {
        status_fail(status, OUTCOME_CONFIG, "cannot replace %s: %s", path, strerror(errno));
        unlink(temporary);
        return false;
    }
    return true;
}

bool file_read(const char *path, off_t offset, struct buf *content, struct status *status)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = -1;

    if (fd < 0)
        return status_fail(status, OUTCOME_CONFIG, "cannot read %s: %s", path, strerror(errno));
    if (lseek(fd, offset, SEEK_SET) == offset) {
        uint8_t *room;

        while ((room = buf_reserve(content, READ_CHUNK_BYTES)) != NULL &&
               (count = read(fd, room, READ_CHUNK_BYTES)) > 0)
            content->length += (size_t)count;
    }
    if (content->failed || count < 0)
        status_fail(status, OUTCOME_CONFIG, "cannot read %s: %s", path,
                    content->failed ? "larger than expected" : strerror(errno));
    close(fd);
    return status->outcome == OUTCOME_OK;
}
