/* SPDX-License-Identifier: Apache-2.0 */
/* kme/journal.h and kme/audit.h: a line for each event, files that move, and a disk that is full.
 */
#include "temp.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <event2/event.h>
#include <jansson.h>

#include "kme/env.h"
#include "kme/journal.h"

enum { FILE_MAX_BYTES = 4194304 };

struct world {
    struct temp temp;
    struct env env;
    struct journal *journal;
    char path[TEMP_PATH_BYTES];
    char *text; /* of the file when it was read last */
};

static void make_world(struct world *world)
{
    struct status status = STATUS_INIT;

    memset(world, 0, sizeof(*world));
    temp_make(&world->temp);
    temp_path(&world->temp, "audit.log", world->path);
    world->env.base = event_base_new();
    world->journal = journal_new(&world->env);
    assert_non_null(world->journal);
    assert_true(journal_open(world->journal, world->path, &status));
}

static void end_world(struct world *world)
{
    journal_free(world->journal);
    event_base_free(world->env.base);
    free(world->text);
    temp_remove(&world->temp);
}

/* What is in a file once the event loop has nothing to do any more. */
static const char *read_file(struct world *world, const char *path)
{
    FILE *file;
    size_t length;

    event_base_dispatch(world->env.base);
    file = fopen(path, "rb");
    assert_non_null(file);
    free(world->text);
    world->text = calloc(1, FILE_MAX_BYTES);
    length = fread(world->text, 1, FILE_MAX_BYTES - 1, file);
    assert_true(length < FILE_MAX_BYTES - 1);
    fclose(file);
    return world->text;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static const struct key_id some_id = {{0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

static void note(struct world *world, enum journal_event event, const char *sae,
                 const char *outcome)
{
    const struct journal_entry entry = {
        .event = event, .api = "014", .method = "enc_keys", .sae = sae, .outcome = outcome};

    journal_note(world->journal, &entry);
}

static void assert_member(const json_t *object, const char *name, const char *expected)
{
    const char *text = json_string_value(json_object_get(object, name));

    if (text == NULL || strcmp(text, expected) != 0)
        fail_msg("%s is %s instead of %s", name, text != NULL ? text : "absent", expected);
}

static void test_an_event_is_one_line_with_what_applies(void **state)
{
    const uint32_t index = 7;
    const struct journal_entry entry = {.event = JOURNAL_GET_KEY,
                                        .api = "004",
                                        .sae = "alice \"\n\xff",
                                        .peer = "bob",
                                        .remote = "127.0.0.1:5",
                                        .stream_id = &some_id,
                                        .index = &index,
                                        .size_bits = 256};
    struct world world;
    json_t *line;

    (void)state;
    make_world(&world);
    journal_note(world.journal, &entry);
    line = json_loads(read_file(&world, world.path), 0, NULL);
    assert_non_null(line);
    assert_int_equal(count_lines(world.text), 1);
    assert_int_equal(strlen(json_string_value(json_object_get(line, "time"))), 24);
    assert_member(line, "event", "get_key");
    assert_member(line, "api", "004");
    assert_member(line, "sae", "alice \"\n\xef\xbf\xbd");
    assert_member(line, "peer", "bob");
    assert_member(line, "Key_stream_ID", "a0010203-0405-0607-0809-0a0b0c0d0e0f");
    assert_member(line, "outcome", "ok");
    assert_member(line, "remote", "127.0.0.1:5");
    assert_int_equal(json_integer_value(json_object_get(line, "index")), 7);
    assert_int_equal(json_integer_value(json_object_get(line, "size_bits")), 256);
    assert_null(json_object_get(line, "key_ID"));
    assert_null(json_object_get(line, "method"));
    json_decref(line);
    end_world(&world);
}

static void test_others_may_not_read_the_file(void **state)
{
    struct world world;
    struct stat about;
    mode_t before = umask(0);

    (void)state;
    make_world(&world);
    assert_int_equal(stat(world.path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0640);
    umask(before);
    end_world(&world);
}

static json_t *faults(const struct world *world)
{
    struct json_out out;
    struct buf buf;
    json_t *whole, *list;

    buf_init(&buf, FILE_MAX_BYTES);
    json_out_init(&out, &buf);
    json_out_object(&out, NULL);
    journal_put_faults(world->journal, &out);
    json_out_object_end(&out);
    whole = json_loadb((const char *)buf.data, buf.length, 0, NULL);
    assert_non_null(whole);
    list = json_incref(json_object_get(whole, "errors"));
    json_decref(whole);
    buf_free(&buf);
    return list;
}

static void test_faults_are_kept_newest_first_and_only_so_many(void **state)
{
    struct world world;
    json_t *list;
    char sae[16];

    (void)state;
    make_world(&world);
    for (int i = 0; i < 3 * JOURNAL_FAULTS_MAX; i++) {
        snprintf(sae, sizeof(sae), "sae-%d", i);
        note(&world, JOURNAL_REFUSED, sae, "no");
        note(&world, JOURNAL_RESERVE, sae, NULL);
    }
    list = faults(&world);
    assert_int_equal(json_array_size(list), JOURNAL_FAULTS_MAX);
    assert_member(json_array_get(list, 0), "sae", sae);
    assert_member(json_array_get(list, JOURNAL_FAULTS_MAX - 1), "sae", "sae-100");
    json_decref(list);
    end_world(&world);
}

static void test_the_same_fault_again_is_counted(void **state)
{
    struct world world;
    json_t *list;

    (void)state;
    make_world(&world);
    for (int i = 0; i < 1000; i++)
        note(&world, JOURNAL_REFUSED, "alice", "not enough key material is available");
    note(&world, JOURNAL_REFUSED, "mallory", "not enough key material is available");
    list = faults(&world);
    assert_int_equal(json_array_size(list), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 1), "count")), 1000);
    json_decref(list);
    end_world(&world);
}

static void test_faults_are_kept_without_an_audit_log(void **state)
{
    struct status status = STATUS_INIT;
    struct world world;
    json_t *list;

    (void)state;
    make_world(&world);
    assert_true(journal_open(world.journal, NULL, &status));
    assert_false(journal_is_open(world.journal));
    note(&world, JOURNAL_REFUSED, "alice", "no");
    note(&world, JOURNAL_RESERVE, "alice", NULL);
    list = faults(&world);
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(read_file(&world, world.path), "");
    json_decref(list);
    end_world(&world);
}

static void test_a_file_that_was_moved_is_made_anew(void **state)
{
    struct status status = STATUS_INIT;
    char moved[TEMP_PATH_BYTES];
    struct world world;

    (void)state;
    make_world(&world);
    temp_path(&world.temp, "audit.log.1", moved);
    note(&world, JOURNAL_RESERVE, "before", NULL);
    assert_int_equal(rename(world.path, moved), 0);
    note(&world, JOURNAL_RESERVE, "meanwhile", NULL);
    assert_true(journal_open(world.journal, world.path, &status));
    note(&world, JOURNAL_RESERVE, "after", NULL);
    assert_contains(read_file(&world, world.path), "after");
    assert_int_equal(count_lines(world.text), 1);
    assert_contains(read_file(&world, moved), "meanwhile");
    assert_int_equal(count_lines(world.text), 2);
    end_world(&world);
}

static void test_what_cannot_be_opened_leaves_the_old_file(void **state)
{
    struct status status = STATUS_INIT, second = STATUS_INIT;
    char path[TEMP_PATH_BYTES];
    struct world world;

    (void)state;
    make_world(&world);
    temp_path(&world.temp, "no/such/folder", path);
    assert_false(journal_open(world.journal, path, &status));
    assert_failed(&status, OUTCOME_CONFIG, path);
    assert_false(journal_open(world.journal, "/dev/null", &second));
    assert_failed(&second, OUTCOME_CONFIG, "/dev/null is no regular file");
    note(&world, JOURNAL_RESERVE, "alice", NULL);
    assert_int_equal(count_lines(read_file(&world, world.path)), 1);
    end_world(&world);
}

static void test_a_line_that_a_crash_tore_swallows_no_other(void **state)
{
    static const char torn[] = "{\"time\":\"2026-11-";
    struct status status = STATUS_INIT;
    struct world world;

    (void)state;
    make_world(&world);
    temp_write(&world.temp, "audit.log", torn, sizeof(torn) - 1);
    assert_true(journal_open(world.journal, world.path, &status));
    note(&world, JOURNAL_START, NULL, NULL);
    assert_int_equal(count_lines(read_file(&world, world.path)), 2);
    assert_contains(world.text, "2026-11-\n{");
    end_world(&world);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Every line of the file is whole; returns how many there are. */
static size_t check_lines(struct world *world)
{
    char *line = world->text, *end;
    size_t count = 0;

    for (; (end = strchr(line, '\n')) != NULL; line = end + 1, count++) {
        json_t *value = json_loadb(line, (size_t)(end - line), 0, NULL);

        assert_non_null(value);
        json_decref(value);
    }
    assert_string_equal(line, "");
    return count;
}

static void test_a_full_disk_costs_only_what_the_buffer_does_not_hold(void **state)
{
    const size_t noted = 20000;
    struct status status = STATUS_INIT;
    char log[TEMP_PATH_BYTES], spec[TEMP_PATH_BYTES + 5];
    struct world world;
    size_t kept;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    make_world(&world);
    temp_path(&world.temp, "log", log);
    snprintf(spec, sizeof(spec), "warn:%s", log);
    world.env.log = log_open(spec, "test", &status);
    assert_non_null(world.env.log);
    limit_files(100000);
    for (size_t i = 0; i < noted; i++)
        note(&world, JOURNAL_RESERVE, "alice", NULL);
    event_base_loop(world.env.base, EVLOOP_ONCE);
    assert_in_range(journal_lost(world.journal), 1, noted);
    limit_files(RLIM_INFINITY);
    note(&world, JOURNAL_RESERVE, "bob", NULL);
    read_file(&world, world.path);
    kept = check_lines(&world);
    assert_int_equal(kept + journal_lost(world.journal), noted + 1);
    assert_in_range(strlen(world.text), 1048576, 1048576 + 100000);
    log_close(world.env.log);
    assert_contains(read_file(&world, log), "the audit log cannot be written: ");
    assert_contains(world.text, "the audit log is written again; lost lines so far: ");
    assert_int_equal(count_lines(world.text), 2);
    world.env.log = NULL;
    end_world(&world);
}

static void test_a_file_after_a_full_disk_begins_with_a_whole_line(void **state)
{
    struct status status = STATUS_INIT;
    char other[TEMP_PATH_BYTES];
    struct world world;

    (void)state;
    make_world(&world);
    temp_path(&world.temp, "other.log", other);
    limit_files(1000);
    for (size_t i = 0; i < 50; i++)
        note(&world, JOURNAL_RESERVE, "alice", NULL);
    event_base_loop(world.env.base, EVLOOP_ONCE);
    limit_files(RLIM_INFINITY);
    assert_true(journal_open(world.journal, other, &status));
    limit_files(RLIM_INFINITY);
    read_file(&world, other);
    check_lines(&world);
    end_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_is_one_line_with_what_applies),
        cmocka_unit_test(test_others_may_not_read_the_file),
        cmocka_unit_test(test_faults_are_kept_newest_first_and_only_so_many),
        cmocka_unit_test(test_the_same_fault_again_is_counted),
        cmocka_unit_test(test_faults_are_kept_without_an_audit_log),
        cmocka_unit_test(test_a_file_that_was_moved_is_made_anew),
        cmocka_unit_test(test_what_cannot_be_opened_leaves_the_old_file),
        cmocka_unit_test(test_a_line_that_a_crash_tore_swallows_no_other),
        cmocka_unit_test(test_a_full_disk_costs_only_what_the_buffer_does_not_hold),
        cmocka_unit_test(test_a_file_after_a_full_disk_begins_with_a_whole_line),
    };

    return RUN_TESTS(tests);
}
