/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/process_figures.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { TEXT_BYTES = 128 };

static int64_t read_resident_bytes(void)
{
    char text[TEXT_BYTES] = "";
    long long pages = -1;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    if (read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%*d %lld", &pages) != 1)
        pages = -1;
    close(fd);
    return pages < 0 ? -1 : (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int64_t count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    int64_t count = -1; /* the folder's own is none of ours */

    if (folder == NULL)
        return -1;
    while ((entry = readdir(folder)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

void process_figures_read(struct process_figures *figures)
{
    struct rlimit limit;

    figures->resident_bytes = read_resident_bytes();
    figures->descriptors = count_descriptors();
    figures->descriptors_max =
        getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)INT64_MAX
            ? (int64_t)limit.rlim_cur
            : -1;
}
