/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/self.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool self_beside(char path[static PATH_MAX], const char *relative)
{
    char program[PATH_MAX], joined[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char *slash;

    if (length <= 0)
        return false;
    program[length] = '\0';
    slash = strrchr(program, '/');
    if (slash == NULL)
        return false;
    snprintf(joined, sizeof(joined), "%.*s/%s", (int)(slash - program), program, relative);
    return realpath(joined, path) != NULL;
}
