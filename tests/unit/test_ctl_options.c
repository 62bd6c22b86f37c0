/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/options.h"

struct parsed {
    bool ok;
    bool json;
    const char *name;
    int64_t number;
    const char *words[2];
    size_t word_count;
    struct status status;
};

enum { MAX_ARGS = 8 };

/* Parses words separated by spaces with one option of each kind. */
static struct parsed parse(char *line)
{
    static char program[] = "get-key";
    struct parsed parsed = {.number = -1};
    char *argv[MAX_ARGS] = {program};
    int argc = 1;
    const struct option_row rows[] = {
        {"json", OPTION_FLAG, {.flag = &parsed.json}, 0, 0},
        {"name", OPTION_TEXT, {.text = &parsed.name}, 0, 0},
        {"number", OPTION_NUMBER, {.number = &parsed.number}, 1, 128},
    };

    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    parsed.ok =
        options_parse(rows, 3, argc, argv, parsed.words, 2, &parsed.word_count, &parsed.status);
    return parsed;
}

#define PARSE(text) parse((char[]){text})

static void options_and_words_mix_in_any_order(void **state)
{
    struct parsed parsed = PARSE("one --number 7 --json two --name=x=y");

    (void)state;
    assert_true(parsed.ok);
    assert_true(parsed.json);
    assert_int_equal(parsed.number, 7);
    assert_string_equal(parsed.name, "x=y");
    assert_int_equal(parsed.word_count, 2);
    assert_string_equal(parsed.words[0], "one");
    assert_string_equal(parsed.words[1], "two");
}

static void two_dashes_end_the_options(void **state)
{
    struct parsed parsed = PARSE("-- --json --");

    (void)state;
    assert_true(parsed.ok);
    assert_false(parsed.json);
    assert_int_equal(parsed.word_count, 2);
    assert_string_equal(parsed.words[0], "--json");
}

static void mistakes_are_named(void **state)
{
    static const struct {
        char line[32];
        const char *expected;
    } rows[] = {
        {"--colour", "get-key has no option '--colour'"},
        {"--jso", "get-key has no option '--jso'"},
        {"--json=1", "--json takes no value"},
        {"--name", "--name needs a value"},
        {"--number 0", "--number '0' is not a number from 1 to 128"},
        {"--number=129", "--number '129' is not a number from 1 to 128"},
        {"--number= ", "--number '' is not a number from 1 to 128"},
        {"--number 1x", "--number '1x' is not a number from 1 to 128"},
        {"a b c", "get-key does not know what to do with 'c'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[32];
        struct parsed parsed;

        memcpy(line, rows[i].line, sizeof(line));
        parsed = parse(line);
        assert_false(parsed.ok);
        assert_int_equal(parsed.status.outcome, OUTCOME_INPUT);
        assert_string_equal(parsed.status.text, rows[i].expected);
    }
}

static void numbers_are_digits_within_the_limits(void **state)
{
    static const char *const wrong[] = {"",   "-1",   "+1",  " 1",
                                        "1 ", "0x10", "1e3", "9223372036854775808"};
    int64_t number = 5;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(number_parse(wrong[i], INT64_MIN, INT64_MAX, &number));
    assert_int_equal(number, 5);
    assert_true(number_parse("9223372036854775807", 0, INT64_MAX, &number));
    assert_true(number == INT64_MAX);
    assert_true(number_parse("007", 7, 7, &number));
    assert_int_equal(number, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_mix_in_any_order),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(numbers_are_digits_within_the_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
