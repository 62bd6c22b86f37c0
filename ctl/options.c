/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/options.h"

#include <inttypes.h>
#include <string.h>

bool number_parse(const char *text, int64_t min, int64_t max, int64_t *number)
{
    int64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        int digit = *text - '0';

        if (digit < 0 || digit > 9 || value > (INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value < min || value > max)
        return false;
    *number = value;
    return true;
}

static const struct option_row *find_row(const struct option_row *rows, size_t count,
                                         const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0)
            return &rows[i];
    return NULL;
}

static bool set_value(const struct option_row *row, const char *value, struct status *status)
{
    if (row->kind == OPTION_TEXT) {
        *row->to.text = value;
        return true;
    }
    if (!number_parse(value, row->min, row->max, row->to.number))
        return status_fail(status, OUTCOME_INPUT,
                           "--%s '%s' is not a number from %" PRId64 " to %" PRId64, row->name,
                           value, row->min, row->max);
    return true;
}

/* One option at argv[*i]; moves *i to the last word that it took. */
static bool take_option(const struct option_row *rows, size_t row_count, int argc, char **argv,
                        int *i, struct status *status)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option_row *row = find_row(rows, row_count, name, length);

    if (row == NULL)
        return status_fail(status, OUTCOME_INPUT, "%s has no option '--%.*s'", argv[0], (int)length,
                           name);
    if (row->kind == OPTION_FLAG) {
        if (equals != NULL)
            return status_fail(status, OUTCOME_INPUT, "--%s takes no value", row->name);
        *row->to.flag = true;
        return true;
    }
    if (equals != NULL)
        return set_value(row, equals + 1, status);
    if (*i + 1 >= argc)
        return status_fail(status, OUTCOME_INPUT, "--%s needs a value", row->name);
    *i += 1;
    return set_value(row, argv[*i], status);
}

bool options_parse(const struct option_row *rows, size_t row_count, int argc, char **argv,
                   const char **words, size_t max_words, size_t *word_count, struct status *status)
{
    bool only_words = false;

    *word_count = 0;
    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
            if (!take_option(rows, row_count, argc, argv, &i, status))
                return false;
        } else if (*word_count < max_words) {
            words[(*word_count)++] = argv[i];
        } else {
            return status_fail(status, OUTCOME_INPUT, "%s does not know what to do with '%s'",
                               argv[0], argv[i]);
        }
    }
    return true;
}
