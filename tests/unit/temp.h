/* SPDX-License-Identifier: Apache-2.0 */
/* A temporary folder of a test program, and files in it. */
#ifndef QKD_TESTS_UNIT_TEMP_H
#define QKD_TESTS_UNIT_TEMP_H

#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { TEMP_PATH_BYTES = 256 };

struct temp {
    char folder[TEMP_PATH_BYTES];
};

static inline void temp_make(struct temp *temp)
{
    const char *root = getenv("TMPDIR");

    snprintf(temp->folder, sizeof(temp->folder), "%.100s/qkd-unit-XXXXXX",
             root != NULL ? root : "/tmp");
    assert_non_null(mkdtemp(temp->folder));
}

static inline void temp_path(const struct temp *temp, const char *name,
                             char path[static TEMP_PATH_BYTES])
{
    snprintf(path, TEMP_PATH_BYTES, "%.150s/%.80s", temp->folder, name);
}

static inline void temp_write(const struct temp *temp, const char *name, const void *octets,
                              size_t length)
{
    char path[TEMP_PATH_BYTES];
    FILE *file;

    temp_path(temp, name, path);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(octets, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static inline int temp_remove_entry(const char *path, const struct stat *stat, int kind,
                                    struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void temp_remove(const struct temp *temp)
{
    nftw(temp->folder, temp_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
