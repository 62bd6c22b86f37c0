/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with what it needs before it, and the assertions that most of our unit tests share. */
#ifndef QKD_TESTS_UNIT_UNIT_H
#define QKD_TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define RUN_TESTS(tests) cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL)

/* Whether `part` occurs in `text`; both are shown when it does not. */
static inline void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static inline void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" is in \"%s\"", part, text);
}

static inline void assert_failed(const struct status *status, enum outcome outcome,
                                 const char *part)
{
    if (status->outcome != outcome)
        fail_msg("outcome %s instead of %s: %s", outcome_name(status->outcome),
                 outcome_name(outcome), status->text);
    assert_contains(status->text, part);
}

static inline bool is_zero(const uint8_t *octets, size_t length)
{
    uint8_t all = 0;

    for (size_t i = 0; i < length; i++)
        all |= octets[i];
    return all == 0;
}

#endif
