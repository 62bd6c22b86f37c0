/* SPDX-License-Identifier: Apache-2.0 */
/* A temporary folder with an identity in it (cert.pem, key.pem) for all tests of a program. */
#ifndef QKD_TESTS_UNIT_IDENTITY_FILES_H
#define QKD_TESTS_UNIT_IDENTITY_FILES_H

#include "tests/unit/pem.h"

static struct temp temp;

static inline int make_files(void **state)
{
    (void)state;
    temp_make(&temp);
    pem_write_identity(&temp);
    return 0;
}

static inline int remove_files(void **state)
{
    (void)state;
    temp_remove(&temp);
    return 0;
}

#endif
