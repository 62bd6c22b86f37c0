/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/openssl_cnf.h"

static const char head[] = "openssl_conf = i\n[i]\nproviders = p\n[p]\ndefault = d\n";

/* Reads a file made of the head and this text. */
static bool read_text(const char *text, char *values[static SETTING_COUNT], struct status *status)
{
    char path[] = "/tmp/qkd-cnf-XXXXXX";
    int fd = mkstemp(path);
    bool ok;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, head, strlen(head)), strlen(head));
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    *status = (struct status)STATUS_INIT;
    ok = openssl_cnf_read(path, values, status);
    unlink(path);
    return ok;
}

static void finds_the_section_by_name_module_or_identity(void **state)
{
    static const char *const texts[] = {
        "qkd = s\n[d]\nsae = wrong\n[s]\nactivate = 1\nsae = alice\n",
        "other = s\n[d]\n[s]\nmodule = /usr/lib/ossl-modules/qkd.so\nsae = alice\n",
        "other = s\n[d]\n[s]\nidentity = qkd\nsae = alice\n",
        "x = y\nqkd = s\n[d]\n[y]\nmodule = /lib/not-qkd.so\n[s]\nsae = alice\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *values[SETTING_COUNT];
        struct status status;

        assert_true(read_text(texts[i], values, &status));
        assert_string_equal(values[SETTING_SAE], "alice");
        assert_null(values[SETTING_PEER]);
        openssl_cnf_free(values);
    }
}

static void takes_all_settings_and_the_providers_own(void **state)
{
    char *values[SETTING_COUNT];
    struct status status;

    (void)state;
    assert_true(read_text("qkd = s\n[d]\n[s]\nactivate = 1\nsoft_load = 0\nidentity = qkd\n"
                          "sae = a\npeer = b\nkme = https://h\ncert = c.pem\n"
                          "key = c.key\nca = ca.pem\ninitiator = server\ntimeout-ms = 5\n"
                          "source-uri = sae://a\ndestination-uri = sae://b\n"
                          "codepoint-qkd_x25519 = 0xFE99\n",
                          values, &status));
    assert_string_equal(values[SETTING_KME], "https://h");
    assert_string_equal(values[SETTING_INITIATOR], "server");
    assert_string_equal(values[SETTING_TIMEOUT_MS], "5");
    assert_string_equal(values[SETTING_SOURCE_URI], "sae://a");
    assert_string_equal(values[SETTING_DESTINATION_URI], "sae://b");
    openssl_cnf_free(values);
}

static void mistakes_are_named_with_the_file(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"qkd = s\n[d]\n[s]\nsae = a\ncolour = blue\n",
         "section [s] has an unknown setting 'colour'"},
        {"[d]\n", "there is no section of the provider qkd"},
        {"qkd = nowhere\n[d]\n", "there is no section of the provider qkd"},
        {"qkd = s\n[d\n", "line 7: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *values[SETTING_COUNT];
        struct status status;

        assert_false(read_text(rows[i].text, values, &status));
        assert_int_equal(status.outcome, OUTCOME_CONFIG);
        assert_non_null(strstr(status.text, rows[i].expected));
        assert_non_null(strstr(status.text, "/tmp/qkd-cnf-"));
        for (int j = 0; j < SETTING_COUNT; j++)
            assert_null(values[j]);
    }
}

static void a_file_that_is_not_there_is_named(void **state)
{
    char *values[SETTING_COUNT];
    struct status status = STATUS_INIT;

    (void)state;
    assert_false(openssl_cnf_read("/nowhere/openssl.cnf", values, &status));
    assert_non_null(strstr(status.text, "/nowhere/openssl.cnf: cannot be read"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_section_by_name_module_or_identity),
        cmocka_unit_test(takes_all_settings_and_the_providers_own),
        cmocka_unit_test(mistakes_are_named_with_the_file),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
