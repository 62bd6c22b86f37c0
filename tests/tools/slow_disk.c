/* SPDX-License-Identifier: Apache-2.0 */
/* For LD_PRELOAD: before the first write to an SQLite log after each sync it waits
 * QKD_SLOW_DISK_MS, as if the disk were slow. A process that is killed meanwhile has written
 * nothing of that transaction. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 512, NS_PER_MS = 1000000 };

static atomic_bool synced = true;

static bool is_log(int fd)
{
    static const char ending[] = "-wal";
    char link[64], path[PATH_BYTES];
    ssize_t length;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof(path));
    return length > (ssize_t)strlen(ending) &&
           memcmp(path + length - strlen(ending), ending, strlen(ending)) == 0;
}

static void dawdle(void)
{
    const char *text = getenv("QKD_SLOW_DISK_MS");
    long ms = text != NULL ? strtol(text, NULL, 10) : 0;
    const struct timespec wait = {ms / 1000, ms % 1000 * NS_PER_MS};

    nanosleep(&wait, NULL);
}

__attribute__((visibility("default"))) ssize_t pwrite64(int fd, const void *octets, size_t length,
                                                        off64_t at)
{
    if (atomic_load(&synced) && is_log(fd) && atomic_exchange(&synced, false))
        dawdle();
    return syscall(SYS_pwrite64, fd, octets, length, at);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    atomic_store(&synced, true);
    return (int)syscall(SYS_fdatasync, fd);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    atomic_store(&synced, true);
    return (int)syscall(SYS_fsync, fd);
}
