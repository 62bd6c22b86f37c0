/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/nearest.h"

static const char *const names[] = {"sae", "peer", "kme", "timeout-ms", "initiator", "ca", "cert"};

static const char *find(const char *name)
{
    struct nearest nearest = nearest_to(name);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        nearest_try(&nearest, names[i]);
    return nearest.found;
}

static void finds_what_was_meant(void **state)
{
    static const char *const meant[][2] = {
        {"timeout_ms", "timeout-ms"},
        {"Timeout-ms", "timeout-ms"},
        {"timout-ms", "timeout-ms"},
        {"timeout", "timeout-ms"},
        {"intiator", "initiator"},
        {"intiiator", "initiator"},
        {"pere", "peer"},
        {"sea", "sae"},
        {"crt", "cert"},
        {"colour", NULL},
        {"", NULL},
        {"keme", "kme"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++) {
        const char *found = find(meant[i][0]);

        if (meant[i][1] == NULL)
            assert_null(found);
        else
            assert_string_equal(found, meant[i][1]);
    }
}

static void names_without_a_limit_are_like_nothing(void **state)
{
    char name[4 * NEAREST_MAX_CHARS];
    struct nearest nearest;

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_null(find(name));
    nearest = nearest_to("sae");
    nearest_try(&nearest, name);
    assert_null(nearest.found);
    name[NEAREST_MAX_CHARS] = '\0';
    nearest = nearest_to(name);
    nearest_try(&nearest, name);
    assert_ptr_equal(nearest.found, name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_meant),
        cmocka_unit_test(names_without_a_limit_are_like_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
