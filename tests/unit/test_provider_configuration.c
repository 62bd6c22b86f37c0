/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "provider/configuration.h"

static void code_points_of(const struct configuration *configuration, uint16_t *code_points,
                           struct status *fault)
{
    memset(fault, 0, sizeof(*fault));
    configuration_code_points(configuration, code_points, fault);
}

static void without_settings_the_defaults_hold(void **state)
{
    struct configuration configuration = {0};
    uint16_t code_points[GROUP_COUNT];
    struct status fault;

    (void)state;
    code_points_of(&configuration, code_points, &fault);
    assert_int_equal(fault.outcome, OUTCOME_OK);
    for (int i = 0; i < GROUP_COUNT; i++)
        assert_int_equal(code_points[i], groups[i].code_point);
}

static void a_given_code_point_replaces_the_default_of_its_group(void **state)
{
    struct configuration configuration = {0};
    uint16_t code_points[GROUP_COUNT];
    struct status fault;

    (void)state;
    configuration.code_points[GROUP_x25519] = "0xFeA0";
    configuration.code_points[GROUP_mlkem768] = "0X01FC";
    code_points_of(&configuration, code_points, &fault);
    assert_int_equal(fault.outcome, OUTCOME_OK);
    assert_int_equal(code_points[GROUP_x25519], 0xFEA0);
    assert_int_equal(code_points[GROUP_mlkem768], 0x01FC);
    assert_int_equal(code_points[GROUP_mlkem512], groups[GROUP_mlkem512].code_point);
}

static void two_groups_may_swap_their_code_points(void **state)
{
    struct configuration configuration = {0};
    uint16_t code_points[GROUP_COUNT];
    struct status fault;

    (void)state;
    configuration.code_points[GROUP_x25519] = "0xFE11";
    configuration.code_points[GROUP_secp256r1] = "0xFE10";
    code_points_of(&configuration, code_points, &fault);
    assert_int_equal(fault.outcome, OUTCOME_OK);
    assert_int_equal(code_points[GROUP_x25519], 0xFE11);
    assert_int_equal(code_points[GROUP_secp256r1], 0xFE10);
}

static void a_bad_code_point_is_a_fault_that_names_its_setting(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } bad[] = {
        {"", "is not a number of the form 0xNNNN"},
        {"65040", "is not a number of the form 0xNNNN"},
        {"FEA0", "is not a number of the form 0xNNNN"},
        {"0x", "is not a number of the form 0xNNNN"},
        {"0xFEA", "is not a number of the form 0xNNNN"},
        {"0xFEA01", "is not a number of the form 0xNNNN"},
        {"0xFEAG", "is not a number of the form 0xNNNN"},
        {"0x FEA", "is not a number of the form 0xNNNN"},
        {"-0xFEA0", "is not a number of the form 0xNNNN"},
        {"0xFEA0 ", "is not a number of the form 0xNNNN"},
        {"0x0000", "number of another TLS group"},
        {"0x001D", "number of another TLS group"},
        {"0x11EC", "number of another TLS group"},
        {"0xFF01", "number of another TLS group"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct configuration configuration = {0};
        uint16_t code_points[GROUP_COUNT];
        struct status fault;

        configuration.code_points[GROUP_x25519] = bad[i].text;
        code_points_of(&configuration, code_points, &fault);
        assert_failed(&fault, OUTCOME_CONFIG, "codepoint-qkd_x25519 = ");
        assert_contains(fault.text, bad[i].reason);
        assert_int_equal(code_points[GROUP_x25519], groups[GROUP_x25519].code_point);
    }
}

static void one_code_point_for_two_groups_is_a_fault_that_names_both(void **state)
{
    struct configuration configuration = {0};
    uint16_t code_points[GROUP_COUNT];
    struct status fault;

    (void)state;
    configuration.code_points[GROUP_x25519] = "0xFE18";
    code_points_of(&configuration, code_points, &fault);
    assert_failed(&fault, OUTCOME_CONFIG, "0xFE18");
    assert_contains(fault.text, "qkd_x25519mlkem768");
    assert_contains(fault.text, "qkd_x25519");
    for (int i = 0; i < GROUP_COUNT; i++)
        assert_int_equal(code_points[i], groups[i].code_point);
}

static void an_earlier_fault_is_kept(void **state)
{
    struct configuration configuration = {0};
    uint16_t code_points[GROUP_COUNT];
    struct status fault = STATUS_INIT;

    (void)state;
    status_fail(&fault, OUTCOME_CONFIG, "sae is not set");
    configuration.code_points[GROUP_x25519] = "bad";
    configuration_code_points(&configuration, code_points, &fault);
    assert_string_equal(fault.text, "sae is not set");
}

/* A core that has two settings, a code point and the provider's name. */
static int get_params(const OSSL_CORE_HANDLE *handle, OSSL_PARAM params[])
{
    static const char *const pairs[][2] = {
        {OSSL_PROV_PARAM_CORE_PROV_NAME, "qkd"},
        {"sae", "alice"},
        {"timeout-ms", "500"},
        {"codepoint-qkd_hqc256", "0xFEB0"},
    };

    (void)handle;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        OSSL_PARAM *param = OSSL_PARAM_locate(params, pairs[i][0]);

        assert_non_null(param);
        assert_int_equal(OSSL_PARAM_set_utf8_ptr(param, pairs[i][1]), 1);
    }
    return 1;
}

static void the_core_is_asked_for_every_setting_and_code_point(void **state)
{
    static const OSSL_DISPATCH core[] = {
        {OSSL_FUNC_CORE_GET_PARAMS, (void (*)(void))get_params},
        {0, NULL},
    };
    struct configuration configuration;

    (void)state;
    assert_true(configuration_read(NULL, core, &configuration));
    assert_string_equal(configuration.provider_name, "qkd");
    assert_string_equal(configuration.settings[SETTING_SAE], "alice");
    assert_string_equal(configuration.settings[SETTING_TIMEOUT_MS], "500");
    assert_null(configuration.settings[SETTING_PEER]);
    assert_string_equal(configuration.code_points[GROUP_hqc256], "0xFEB0");
    assert_null(configuration.code_points[GROUP_x25519]);
}

static void a_core_that_cannot_be_asked_is_refused(void **state)
{
    static const OSSL_DISPATCH core[] = {{0, NULL}};
    struct configuration configuration;

    (void)state;
    assert_false(configuration_read(NULL, core, &configuration));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_settings_the_defaults_hold),
        cmocka_unit_test(a_given_code_point_replaces_the_default_of_its_group),
        cmocka_unit_test(two_groups_may_swap_their_code_points),
        cmocka_unit_test(a_bad_code_point_is_a_fault_that_names_its_setting),
        cmocka_unit_test(one_code_point_for_two_groups_is_a_fault_that_names_both),
        cmocka_unit_test(an_earlier_fault_is_kept),
        cmocka_unit_test(the_core_is_asked_for_every_setting_and_code_point),
        cmocka_unit_test(a_core_that_cannot_be_asked_is_refused),
    };

    return RUN_TESTS(tests);
}
