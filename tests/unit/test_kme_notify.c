/* SPDX-License-Identifier: Apache-2.0 */
/* What a service manager hears. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kme/notify.h"
#include "tests/unit/temp.h"

enum { HEARD_BYTES = 1024 };

/* A service manager that listens at this address; NAME as in the environment. */
static int manager_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    size_t length = strlen(name);

    assert_true(fd >= 0);
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                     0);
    return fd;
}

static void assert_heard(int manager, const char *expected)
{
    char heard[HEARD_BYTES];
    ssize_t length = recv(manager, heard, sizeof(heard) - 1, 0);

    assert_true(length >= 0);
    heard[length] = '\0';
    assert_string_equal(heard, expected);
}

static void assert_silence(int manager)
{
    char heard[HEARD_BYTES];

    assert_true(recv(manager, heard, sizeof(heard), 0) < 0);
}

static void set(const char *socket_name, const char *period, const char *pid)
{
    const char *const variables[][2] = {
        {"NOTIFY_SOCKET", socket_name}, {"WATCHDOG_USEC", period}, {"WATCHDOG_PID", pid}};

    for (size_t i = 0; i < 3; i++)
        if (variables[i][1] != NULL)
            setenv(variables[i][0], variables[i][1], 1);
        else
            unsetenv(variables[i][0]);
}

static void hears_at(const char *name)
{
    struct status status = STATUS_INIT;
    struct notify notify;
    int manager = manager_at(name);

    set(name, NULL, NULL);
    assert_true(notify_open(&notify, &status));
    assert_null(getenv("NOTIFY_SOCKET"));
    notify_say(&notify, "READY=1");
    notify_say(&notify, "STATUS=%d of %d", 1, 2);
    assert_heard(manager, "READY=1");
    assert_heard(manager, "STATUS=1 of 2");
    notify_close(&notify);
    notify_say(&notify, "STOPPING=1");
    assert_silence(manager);
    close(manager);
}

static void test_a_path_is_told(void **state)
{
    char path[TEMP_PATH_BYTES];
    struct temp temp;

    (void)state;
    temp_make(&temp);
    temp_path(&temp, "notify", path);
    hears_at(path);
    temp_remove(&temp);
}

static void test_an_abstract_name_is_told(void **state)
{
    char name[64];

    (void)state;
    snprintf(name, sizeof(name), "@qkd-unit-notify-%ld", (long)getpid());
    hears_at(name);
}

static void test_without_a_socket_nothing_happens(void **state)
{
    struct status status = STATUS_INIT;
    struct notify notify;

    (void)state;
    set(NULL, NULL, NULL);
    assert_true(notify_open(&notify, &status));
    assert_int_equal(notify.fd, -1);
    notify_say(&notify, "READY=1");
    notify_close(&notify);
}

static void test_names_that_are_none_are_refused_and_told(void **state)
{
    char long_path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
    const char *const names[] = {"", "@", "/", "relative", "vsock:2:1234", long_path};

    (void)state;
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct status status = STATUS_INIT;
        struct notify notify;

        set(names[i], "1000", NULL);
        assert_false(notify_open(&notify, &status));
        assert_non_null(strstr(status.text, "NOTIFY_SOCKET"));
        assert_int_equal(notify.fd, -1);
        assert_int_equal(notify.watchdog_us, 0);
    }
}

static void test_a_message_that_does_not_fit_is_not_cut(void **state)
{
    struct status status = STATUS_INIT;
    char name[64], text[HEARD_BYTES];
    struct notify notify;
    int manager;

    (void)state;
    snprintf(name, sizeof(name), "@qkd-unit-notify-%ld", (long)getpid());
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    manager = manager_at(name);
    set(name, NULL, NULL);
    assert_true(notify_open(&notify, &status));
    notify_say(&notify, "STATUS=%s", text);
    assert_silence(manager);
    notify_close(&notify);
    close(manager);
}

/* Else a service manager that was told RELOADING=1 waits for READY=1 until its patience ends. */
static void test_any_sentence_of_a_refused_reload_fits(void **state)
{
    static const char before[] = "READY=1\nSTATUS=The old configuration stays: ";
    char name[64], expected[HEARD_BYTES];
    struct status status = STATUS_INIT;
    struct notify notify;
    int manager;

    (void)state;
    snprintf(name, sizeof(name), "@qkd-unit-notify-%ld", (long)getpid());
    manager = manager_at(name);
    set(name, NULL, NULL);
    assert_true(notify_open(&notify, &status));
    memset(status.text, 'x', sizeof(status.text) - 1);
    status.text[sizeof(status.text) - 1] = '\0';
    snprintf(expected, sizeof(expected), "%s%s", before, status.text);
    notify_say(&notify, "%s%s", before, status.text);
    assert_heard(manager, expected);
    notify_close(&notify);
    close(manager);
}

static int64_t watchdog_for(const char *period, const char *pid)
{
    struct status status = STATUS_INIT;
    struct notify notify;
    int64_t period_us;
    int manager = manager_at("@qkd-unit-notify-watchdog");

    set("@qkd-unit-notify-watchdog", period, pid);
    assert_true(notify_open(&notify, &status));
    period_us = notify.watchdog_us;
    notify_close(&notify);
    close(manager);
    return period_us;
}

static void test_a_watchdog_is_for_the_process_that_it_names(void **state)
{
    char ours[32], other[32];

    (void)state;
    snprintf(ours, sizeof(ours), "%ld", (long)getpid());
    snprintf(other, sizeof(other), "%ld", (long)getppid());
    assert_int_equal(watchdog_for("30000000", ours), 30000000);
    assert_int_equal(watchdog_for("30000000", NULL), 30000000);
    assert_int_equal(watchdog_for("30000000", other), 0);
    assert_int_equal(watchdog_for(NULL, ours), 0);
    assert_int_equal(watchdog_for("", NULL), 0);
    assert_int_equal(watchdog_for("-5", NULL), 0);
    assert_int_equal(watchdog_for("12x", NULL), 0);
    assert_int_equal(watchdog_for("99999999999999999999", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_path_is_told),
        cmocka_unit_test(test_an_abstract_name_is_told),
        cmocka_unit_test(test_without_a_socket_nothing_happens),
        cmocka_unit_test(test_names_that_are_none_are_refused_and_told),
        cmocka_unit_test(test_a_message_that_does_not_fit_is_not_cut),
        cmocka_unit_test(test_any_sentence_of_a_refused_reload_fits),
        cmocka_unit_test(test_a_watchdog_is_for_the_process_that_it_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
