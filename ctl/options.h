/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a subcommand as a table: --NAME, --NAME VALUE or --NAME=VALUE, in any place
 * among the other words; "--" ends them.
 */
#ifndef QKD_CTL_OPTIONS_H
#define QKD_CTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum option_kind {
    OPTION_FLAG,  /* sets *flag */
    OPTION_TEXT,  /* sets *text, which points into argv */
    OPTION_NUMBER /* sets *number: decimal digits, min to max */
};

struct option_row {
    const char *name; /* without the dashes */
    enum option_kind kind;
    union {
        bool *flag;
        const char **text;
        int64_t *number;
    } to;
    int64_t min, max;
};

/* Reads a decimal number of digits only. */
bool number_parse(const char *text, int64_t min, int64_t max, int64_t *number);

/* Reads argv[1..]; the words that are no options go to words[0..*word_count). False, and
 * *status (OUTCOME_INPUT), for an unknown option, a missing or bad value, or too many words. */
bool options_parse(const struct option_row *rows, size_t row_count, int argc, char **argv,
                   const char **words, size_t max_words, size_t *word_count, struct status *status);

#endif
