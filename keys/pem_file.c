/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/pem_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_CHUNK_BYTES = 4096 };

/* read(2) rather than stdio, whose buffer would keep a copy of a private key. */
static bool read_all(int fd, struct buf *into)
{
    for (;;) {
        uint8_t *to = buf_reserve(into, READ_CHUNK_BYTES);
        ssize_t got;

        if (to == NULL) {
            errno = into->max_bytes - into->length < READ_CHUNK_BYTES ? EFBIG : ENOMEM;
            return false;
        }
        got = read(fd, to, READ_CHUNK_BYTES);
        if (got == 0)
            return true;
        if (got > 0)
            into->length += (size_t)got;
        else if (errno != EINTR)
            return false;
    }
}

static bool is_file(int fd)
{
    struct stat properties;

    return fstat(fd, &properties) == 0 && S_ISREG(properties.st_mode);
}

bool pem_file_read(const char *setting, const char *path, struct buf *into, struct status *status)
{
    bool ok;
    int fd;

    if (path == NULL || *path == '\0')
        return status_fail(status, OUTCOME_CONFIG, "%s is not set: it names a PEM file", setting);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would block the program */
    if (fd < 0)
        return status_fail(status, OUTCOME_CONFIG, "%s: cannot open '%s': %s", setting, path,
                           strerror(errno));
    ok = is_file(fd) ||
         status_fail(status, OUTCOME_CONFIG, "%s: '%s' is not a regular file", setting, path);
    ok =
        ok && (read_all(fd, into) || status_fail(status, OUTCOME_CONFIG, "%s: cannot read '%s': %s",
                                                 setting, path, strerror(errno)));
    close(fd);
    if (ok && memmem(into->data, into->length, "-----BEGIN ", 11) == NULL)
        ok = status_fail(status, OUTCOME_CONFIG, "%s: '%s' is not a PEM file", setting, path);
    return ok;
}
