/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/doctor_program.h"

enum { LIMIT_MS = 20000, SHORT_LIMIT_MS = 500, VALUE_BYTES = 64 };

static void run(struct doctor_program *program, const char *stream, size_t count)
{
    char text[VALUE_BYTES];
    const char *const words[] = {stream, text, NULL};
    struct status status = STATUS_INIT;

    snprintf(text, sizeof(text), "%zu", count);
    assert_true(doctor_program_run(program, "/dev/null", words, LIMIT_MS, &status));
    assert_int_equal(program->end, PROGRAM_EXITED);
    assert_int_equal(program->number, 0);
}

/* All that is read of it ends with a NUL inside of what is allocated. */
static void check_text(const struct buf *text, size_t expected)
{
    assert_int_equal(text->length, expected + 1);
    assert_true(text->length <= text->capacity);
    assert_int_equal(strlen((const char *)text->data), expected);
}

static void a_program_that_writes_too_much_is_cut_off_and_comes_to_its_end(void **state)
{
    static const size_t counts[] = {
        DOCTOR_PROGRAM_MAX_BYTES + 1,
        DOCTOR_PROGRAM_MAX_BYTES + 4096,
        3 * DOCTOR_PROGRAM_MAX_BYTES,
    };
    struct doctor_program program = {.end = PROGRAM_NOT_RUN};
    char value[VALUE_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        run(&program, "out", counts[i]);
        check_text(&program.out, DOCTOR_PROGRAM_MAX_BYTES);
        check_text(&program.errors, 0);
        assert_true(program.lost[0]);
        assert_false(program.lost[1]);
        assert_false(doctor_program_line(&program, "at", 0, value, sizeof(value)));
        doctor_program_stage(&program, value, sizeof(value));
        assert_string_equal(value, "start");
        run(&program, "errors", counts[i]);
        check_text(&program.errors, DOCTOR_PROGRAM_MAX_BYTES);
        assert_null(strstr((const char *)program.errors.data, "is not offered"));
        assert_false(program.lost[0]);
        assert_true(program.lost[1]);
    }
    doctor_program_free(&program);
}

static void all_is_kept_up_to_the_maximum(void **state)
{
    static const size_t counts[] = {0, 1, DOCTOR_PROGRAM_MAX_BYTES - 1, DOCTOR_PROGRAM_MAX_BYTES};
    struct doctor_program program = {.end = PROGRAM_NOT_RUN};

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        run(&program, "out", counts[i]);
        check_text(&program.out, counts[i]);
        assert_false(program.lost[0] || program.lost[1]);
    }
    doctor_program_free(&program);
}

static void a_program_that_closes_its_streams_and_stays_is_killed(void **state)
{
    static const char *const words[] = {"nothing", "0", NULL};
    struct doctor_program program = {.end = PROGRAM_NOT_RUN};
    struct status status = STATUS_INIT;

    (void)state;
    assert_true(doctor_program_run(&program, "/dev/null", words, SHORT_LIMIT_MS, &status));
    assert_int_equal(program.end, PROGRAM_HUNG);
    assert_int_equal(program.number, SIGKILL);
    doctor_program_free(&program);
}

/* The examined program: this one once more, as qkdctl runs itself. */
static int play(const char *stream, const char *count)
{
    FILE *to = strcmp(stream, "out") == 0 ? stdout : stderr;

    if (strcmp(stream, "nothing") == 0) {
        close(STDOUT_FILENO);
        close(STDERR_FILENO);
        pause();
    }
    for (size_t i = strtoul(count, NULL, 10); i > 0; i--)
        if (fputc('x', to) == EOF)
            return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_writes_too_much_is_cut_off_and_comes_to_its_end),
        cmocka_unit_test(all_is_kept_up_to_the_maximum),
        cmocka_unit_test(a_program_that_closes_its_streams_and_stays_is_killed),
    };

    if (argc == 4 && strcmp(argv[1], DOCTOR_PROGRAM) == 0)
        return play(argv[2], argv[3]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
