/* SPDX-License-Identifier: Apache-2.0 */
/* A module in a process whose OpenSSL has another major: refused, with a sentence, before anything
 * of its own libcrypto is used. The core is made up here; tests/matrix does it with real ones. */
#include "tests/unit/unit.h"

#include <stdarg.h>
#include <unistd.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/opensslv.h>
#include <openssl/params.h>

#include "provider/major.h"

OSSL_provider_init_fn OSSL_provider_init;

struct core {
    const char *version; /* NULL: says nothing */
    int asked;
    int raised;
    uint32_t reason;
    char text[512];
};

static int core_get_params(const OSSL_CORE_HANDLE *handle, OSSL_PARAM params[])
{
    struct core *core = (struct core *)(uintptr_t)handle;
    OSSL_PARAM *version = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_CORE_VERSION);

    core->asked++;
    if (version != NULL && core->version != NULL)
        OSSL_PARAM_set_utf8_ptr(version, core->version);
    return 1;
}

static void core_new_error(const OSSL_CORE_HANDLE *handle)
{
    ((struct core *)(uintptr_t)handle)->raised++;
}

static void core_set_error_debug(const OSSL_CORE_HANDLE *handle, const char *file, int line,
                                 const char *function)
{
    (void)handle;
    (void)line;
    assert_non_null(file);
    assert_non_null(function);
}

__attribute__((format(printf, 3, 0))) static void
core_vset_error(const OSSL_CORE_HANDLE *handle, uint32_t reason, const char *format, va_list args)
{
    struct core *core = (struct core *)(uintptr_t)handle;

    core->reason = reason;
    vsnprintf(core->text, sizeof(core->text), format, args);
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_CORE_GET_PARAMS, (void (*)(void))core_get_params},
    {OSSL_FUNC_CORE_NEW_ERROR, (void (*)(void))core_new_error},
    {OSSL_FUNC_CORE_SET_ERROR_DEBUG, (void (*)(void))core_set_error_debug},
    {OSSL_FUNC_CORE_VSET_ERROR, (void (*)(void))core_vset_error},
    {0, NULL},
};

static bool fits(struct core *core, struct status *status)
{
    return major_fits((const OSSL_CORE_HANDLE *)core, functions, status);
}

static void every_version_of_the_own_major_fits(void **state)
{
    static const char *const rest[] = {".0.0", ".0.19", ".5.7", ".10.1-dev", ""};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rest); i++) {
        char version[32];
        struct core core = {.version = version};
        struct status status = STATUS_INIT;

        snprintf(version, sizeof(version), "%d%s", OPENSSL_VERSION_MAJOR, rest[i]);
        assert_true(fits(&core, &status));
        assert_int_equal(status.outcome, OUTCOME_OK);
    }
}

static void another_major_is_refused_by_name(void **state)
{
    char version[32], built_for[64], wanted[160];
    struct core core = {.version = version};
    struct status status = STATUS_INIT;

    (void)state;
    snprintf(version, sizeof(version), "%d.0.2", OPENSSL_VERSION_MAJOR + 1);
    snprintf(built_for, sizeof(built_for), "is built for OpenSSL %d (libcrypto.so.%d)",
             OPENSSL_VERSION_MAJOR, OPENSSL_VERSION_MAJOR);
    snprintf(wanted, sizeof(wanted),
             "runs OpenSSL %s; install the qkd.so that is built for OpenSSL %d", version,
             OPENSSL_VERSION_MAJOR + 1);
    assert_false(fits(&core, &status));
    assert_int_equal(status.outcome, OUTCOME_CONFIG);
    assert_contains(status.text, built_for);
    assert_contains(status.text, wanted);
}

static void what_only_begins_like_the_own_major_is_another(void **state)
{
    char version[32];
    struct core core = {.version = version};
    struct status status = STATUS_INIT;

    (void)state;
    snprintf(version, sizeof(version), "%d0.1.0", OPENSSL_VERSION_MAJOR);
    assert_false(fits(&core, &status));
}

static void a_core_that_does_not_say_is_refused(void **state)
{
    struct core core = {0};
    struct status status = STATUS_INIT;

    (void)state;
    assert_false(fits(&core, &status));
    assert_contains(status.text, "does not say its version");
}

static void the_refusal_is_on_the_cores_queue_and_nothing_else_was_asked(void **state)
{
    char version[32];
    struct core core = {.version = version};
    const OSSL_DISPATCH *out = NULL;
    void *context = NULL;

    (void)state;
    snprintf(version, sizeof(version), "%d.1.0", OPENSSL_VERSION_MAJOR + 1);
    assert_int_equal(OSSL_provider_init((const OSSL_CORE_HANDLE *)&core, functions, &out, &context),
                     0);
    assert_null(context);
    assert_null(out);
    assert_int_equal(core.asked, 1);
    assert_int_equal(core.raised, 1);
    assert_int_equal(ERR_GET_LIB(core.reason), ERR_LIB_PROV);
    assert_contains(core.text, "install the qkd.so that is built for");
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_of_the_own_major_fits),
        cmocka_unit_test(another_major_is_refused_by_name),
        cmocka_unit_test(what_only_begins_like_the_own_major_is_another),
        cmocka_unit_test(a_core_that_does_not_say_is_refused),
        cmocka_unit_test(the_refusal_is_on_the_cores_queue_and_nothing_else_was_asked),
    };

    return RUN_TESTS(tests);
}
