/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/temp.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"

enum { WRITERS = 4, LINES_EACH = 500, FILE_MAX_BYTES = 4000000 };

static struct temp temp;

static struct log *open_in_temp(const char *level, const char *name)
{
    struct status status = STATUS_INIT;
    char spec[TEMP_PATH_BYTES + 16], path[TEMP_PATH_BYTES];
    struct log *log;

    temp_path(&temp, name, path);
    snprintf(spec, sizeof(spec), "%s:%s", level, path);
    log = log_open(spec, "unit", &status);
    if (log == NULL)
        fail_msg("%s", status.text);
    return log;
}

static const char *read_back(const char *name)
{
    static char content[FILE_MAX_BYTES];
    char path[TEMP_PATH_BYTES];
    FILE *file;

    temp_path(&temp, name, path);
    file = fopen(path, "rb");
    assert_non_null(file);
    content[fread(content, 1, sizeof(content) - 1, file)] = '\0';
    fclose(file);
    return content;
}

static void a_level_lets_itself_and_what_is_graver_through(void **state)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    (void)state;
    for (int set = 0; set < LOG_LEVEL_COUNT; set++) {
        struct log *log = open_in_temp(names[set], names[set]);
        const char *text;

        for (int level = 0; level < LOG_LEVEL_COUNT; level++) {
            assert_int_equal(log_enabled(log, (enum log_level)level), level <= set);
            log_line(log, (enum log_level)level, "at level %d", level);
        }
        log_close(log);
        text = read_back(names[set]);
        for (int level = 0; level < LOG_LEVEL_COUNT; level++) {
            char line[40];

            snprintf(line, sizeof(line), " %s at level %d\n", names[level], level);
            if (level <= set)
                assert_contains(text, line);
            else
                assert_lacks(text, line);
        }
    }
}

static void wrong_specifications_are_refused_and_named(void **state)
{
    static const char *const specs[] = {"", "loud", "INFO", "debugger", "inf", ":file", " info"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct status status = STATUS_INIT;

        assert_null(log_open(specs[i], "unit", &status));
        assert_failed(&status, OUTCOME_CONFIG, "is not one of error, warn, info, debug");
    }
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
    struct status status = STATUS_INIT;

    (void)state;
    assert_null(log_open("info:/nonexistent/folder/log", "unit", &status));
    assert_failed(&status, OUTCOME_CONFIG, "'/nonexistent/folder/log': No such file");
}

static void the_file_is_for_its_owner_alone_and_appended_to(void **state)
{
    char path[TEMP_PATH_BYTES];
    struct stat found;
    mode_t mask = umask(0);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct log *log = open_in_temp("info", "mode");

        log_line(log, LOG_LEVEL_INFO, "opened %d", i);
        log_close(log);
    }
    umask(mask);
    temp_path(&temp, "mode", path);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0600);
    assert_contains(read_back("mode"), "opened 0\n");
    assert_contains(read_back("mode"), "opened 1\n");
}

static void a_line_has_time_program_process_and_level(void **state)
{
    struct log *log = open_in_temp("info", "form");
    int year, month, day, hour, minute, second, ms, end = 0;
    long pid;

    (void)state;
    log_line(log, LOG_LEVEL_WARN, "text");
    log_close(log);
    assert_int_equal(sscanf(read_back("form"),
                            "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ unit[%ld] warn text\n%n", &year, &month,
                            &day, &hour, &minute, &second, &ms, &pid, &end),
                     8);
    assert_int_equal(end, strlen(read_back("form")));
    assert_int_equal(pid, getpid());
    assert_in_range(year, 2020, 9999);
}

static void what_is_not_printable_is_replaced_and_a_long_text_cut(void **state)
{
    struct log *log = open_in_temp("info", "long");
    char text[5000];
    const char *written;

    (void)state;
    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_line(log, LOG_LEVEL_INFO, "one\nforged line\x1b %s", text);
    log_close(log);
    written = read_back("long");
    assert_contains(written, "one?forged line? yyy");
    assert_ptr_equal(strchr(written, '\n'), written + strlen(written) - 1);
    assert_in_range(strlen(written), 1000, 1100);
}

static void writer(int number)
{
    struct log *log = open_in_temp("info", "torn");
    char text[301];

    memset(text, 'a' + number, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int i = 0; i < LINES_EACH; i++)
        log_line(log, LOG_LEVEL_INFO, "%s.", text);
    log_close(log);
    _exit(0);
}

static void write_into_broken_pipe(const char *spec)
{
    int status, ends[2];

    assert_int_equal(pipe(ends), 0);
    if (fork() == 0) {
        struct status failure = STATUS_INIT;
        struct log *log;

        dup2(ends[1], STDERR_FILENO);
        log = log_open(spec, "test", &failure);
        close(ends[0]);
        log_line(log, LOG_LEVEL_INFO, "nobody reads this");
        log_close(log);
        _exit(log == NULL);
    }
    close(ends[0]);
    close(ends[1]);
    assert_true(wait(&status) > 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_pipe_without_a_reader_raises_no_signal(void **state)
{
    (void)state;
    write_into_broken_pipe("info");
}

static void a_file_that_is_a_pipe_without_a_reader_raises_no_signal(void **state)
{
    (void)state;
    write_into_broken_pipe("info:/dev/fd/2");
}

static void processes_do_not_tear_each_others_lines(void **state)
{
    int lines = 0, status;
    const char *text;

    (void)state;
    for (int i = 0; i < WRITERS; i++)
        if (fork() == 0)
            writer(i);
    for (int i = 0; i < WRITERS; i++)
        assert_true(wait(&status) > 0 && status == 0);
    text = read_back("torn");
    for (; *text != '\0'; lines++) {
        const char *start = strstr(text, " info ") + strlen(" info ");

        assert_in_range(*start, 'a', 'a' + WRITERS - 1);
        assert_int_equal(strspn(start, (char[]){*start, '\0'}), 300);
        assert_memory_equal(start + 300, ".\n", 2);
        text = start + 302;
    }
    assert_int_equal(lines, WRITERS * LINES_EACH);
}

static void no_log_drops_everything(void **state)
{
    (void)state;
    assert_false(log_enabled(NULL, LOG_LEVEL_ERROR));
    log_line(NULL, LOG_LEVEL_ERROR, "nobody reads this");
    log_close(NULL);
}

static int make_folder(void **state)
{
    (void)state;
    temp_make(&temp);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    temp_remove(&temp);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_level_lets_itself_and_what_is_graver_through),
        cmocka_unit_test(wrong_specifications_are_refused_and_named),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_named),
        cmocka_unit_test(the_file_is_for_its_owner_alone_and_appended_to),
        cmocka_unit_test(a_line_has_time_program_process_and_level),
        cmocka_unit_test(what_is_not_printable_is_replaced_and_a_long_text_cut),
        cmocka_unit_test(a_pipe_without_a_reader_raises_no_signal),
        cmocka_unit_test(a_file_that_is_a_pipe_without_a_reader_raises_no_signal),
        cmocka_unit_test(processes_do_not_tear_each_others_lines),
        cmocka_unit_test(no_log_drops_everything),
    };

    return cmocka_run_group_tests_name(__FILE__, tests, make_folder, remove_folder);
}
