/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check_options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/options.h"

enum { TIMEOUT_DEFAULT_MS = 5000 };

static const struct check_table *const tables[] = {&check_table_014, &check_table_004};

static bool take_table(struct check_options *options, struct status *status)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (strcmp(tables[i]->api_text, options->api) == 0)
            options->table = tables[i];
    return options->table != NULL ||
           status_fail(status, OUTCOME_INPUT, "there are no checks for --api '%s'", options->api);
}

static bool selects(const struct check_table *table, const struct check_choices *choices)
{
    for (size_t i = 0; i < table->count; i++)
        if (check_selected(&table->rows[i], choices))
            return true;
    return false;
}

/* A pattern that matches nothing would pass. */
static bool all_select(const struct check_options *options, struct status *status)
{
    const char *rest = options->choices.only;
    char pattern[64];

    while (rest != NULL) {
        size_t length = strcspn(rest, ",");

        snprintf(pattern, sizeof(pattern), "%.*s", (int)length, rest);
        if (!selects(options->table, &(struct check_choices){.only = pattern}))
            return status_fail(status, OUTCOME_INPUT,
                               "--only '%s' matches no check; --list shows them", pattern);
        rest = rest[length] == ',' ? rest + length + 1 : NULL;
    }
    return selects(options->table, &options->choices) ||
           status_fail(status, OUTCOME_INPUT,
                       "--only '%s' matches no check with --required-only; --list shows them",
                       options->choices.only);
}

/* What is the same at every end, or at the responder's the other way round. */
static void share(struct check_options *options)
{
    const char **initiator = options->values[CHECK_INITIATOR];
    const char **responder = options->values[CHECK_RESPONDER];
    const char **stranger = options->values[CHECK_STRANGER];

    if (responder[SETTING_CA] == NULL)
        responder[SETTING_CA] = initiator[SETTING_CA];
    initiator[SETTING_PEER] = responder[SETTING_SAE];
    responder[SETTING_PEER] = initiator[SETTING_SAE];
    responder[SETTING_SOURCE_URI] = initiator[SETTING_DESTINATION_URI];
    responder[SETTING_DESTINATION_URI] = initiator[SETTING_SOURCE_URI];
    stranger[SETTING_PEER] = initiator[SETTING_SAE];
    stranger[SETTING_KME] = responder[SETTING_KME];
    stranger[SETTING_CA] = responder[SETTING_CA];
    if (strcmp(options->api, "004") == 0)
        for (enum check_end end = 0; end < CHECK_END_COUNT; end++)
            options->values[end][SETTING_ETSI004_DIALECT] = options->dialect;
}

static bool has_stranger(const struct check_options *options)
{
    const char *const *stranger = options->values[CHECK_STRANGER];

    return stranger[SETTING_SAE] != NULL || stranger[SETTING_CERT] != NULL ||
           stranger[SETTING_KEY] != NULL;
}

/* Without a laboratory that fills in the rest. */
static const struct {
    enum check_end end;
    enum setting_name setting;
    const char *option;
} needed[] = {
    {CHECK_INITIATOR, SETTING_KME, "kme"},
    {CHECK_INITIATOR, SETTING_SAE, "sae"},
    {CHECK_INITIATOR, SETTING_CERT, "cert"},
    {CHECK_INITIATOR, SETTING_KEY, "key"},
    {CHECK_INITIATOR, SETTING_CA, "ca"},
    {CHECK_RESPONDER, SETTING_KME, "peer-kme"},
    {CHECK_RESPONDER, SETTING_SAE, "peer"},
    {CHECK_RESPONDER, SETTING_CERT, "peer-cert"},
    {CHECK_RESPONDER, SETTING_KEY, "peer-key"},
    {CHECK_STRANGER, SETTING_SAE, "stranger"},
    {CHECK_STRANGER, SETTING_CERT, "stranger-cert"},
    {CHECK_STRANGER, SETTING_KEY, "stranger-key"},
};

static bool is_complete(const struct check_options *options, struct status *status)
{
    if (options->lab_dir != NULL || options->list)
        return true;
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (options->values[needed[i].end][needed[i].setting] == NULL &&
            (needed[i].end != CHECK_STRANGER || has_stranger(options)))
            return status_fail(status, OUTCOME_INPUT, "check-kme needs --%s, or --lab DIR",
                               needed[i].option);
    return true;
}

bool check_options_parse(int argc, char **argv, struct check_options *options,
                         struct status *status)
{
    struct check_choices *choices = &options->choices;
    const char **initiator = options->values[CHECK_INITIATOR];
    const char **responder = options->values[CHECK_RESPONDER];
    const char **stranger = options->values[CHECK_STRANGER];
    const struct option_row rows[] = {
        {"api", OPTION_TEXT, {.text = &options->api}, 0, 0},
        {"lab", OPTION_TEXT, {.text = &options->lab_dir}, 0, 0},
        {"dialect", OPTION_TEXT, {.text = &options->dialect}, 0, 0},
        {"list", OPTION_FLAG, {.flag = &options->list}, 0, 0},
        {"reverse", OPTION_FLAG, {.flag = &options->reverse}, 0, 0},
        {"only", OPTION_TEXT, {.text = &choices->only}, 0, 0},
        {"required-only", OPTION_FLAG, {.flag = &choices->required_only}, 0, 0},
        {"json", OPTION_FLAG, {.flag = &choices->json}, 0, 0},
        {"restart", OPTION_FLAG, {.flag = &choices->restart}, 0, 0},
        {"deplete", OPTION_FLAG, {.flag = &choices->deplete}, 0, 0},
        {"heavy", OPTION_FLAG, {.flag = &choices->heavy}, 0, 0},
        {"timeout-ms", OPTION_NUMBER, {.number = &choices->timeout_ms}, 100, 60000},
        {"kme", OPTION_TEXT, {.text = &initiator[SETTING_KME]}, 0, 0},
        {"sae", OPTION_TEXT, {.text = &initiator[SETTING_SAE]}, 0, 0},
        {"cert", OPTION_TEXT, {.text = &initiator[SETTING_CERT]}, 0, 0},
        {"key", OPTION_TEXT, {.text = &initiator[SETTING_KEY]}, 0, 0},
        {"ca", OPTION_TEXT, {.text = &initiator[SETTING_CA]}, 0, 0},
        {"source-uri", OPTION_TEXT, {.text = &initiator[SETTING_SOURCE_URI]}, 0, 0},
        {"destination-uri", OPTION_TEXT, {.text = &initiator[SETTING_DESTINATION_URI]}, 0, 0},
        {"peer-kme", OPTION_TEXT, {.text = &responder[SETTING_KME]}, 0, 0},
        {"peer", OPTION_TEXT, {.text = &responder[SETTING_SAE]}, 0, 0},
        {"peer-cert", OPTION_TEXT, {.text = &responder[SETTING_CERT]}, 0, 0},
        {"peer-key", OPTION_TEXT, {.text = &responder[SETTING_KEY]}, 0, 0},
        {"peer-ca", OPTION_TEXT, {.text = &responder[SETTING_CA]}, 0, 0},
        {"stranger", OPTION_TEXT, {.text = &stranger[SETTING_SAE]}, 0, 0},
        {"stranger-cert", OPTION_TEXT, {.text = &stranger[SETTING_CERT]}, 0, 0},
        {"stranger-key", OPTION_TEXT, {.text = &stranger[SETTING_KEY]}, 0, 0},
    };
    size_t word_count;

    memset(options, 0, sizeof(*options));
    options->api = "014";
    options->lab.lock_fd = -1;
    choices->timeout_ms = TIMEOUT_DEFAULT_MS;
    return options_parse(rows, sizeof(rows) / sizeof(rows[0]), argc, argv, NULL, 0, &word_count,
                         status) &&
           take_table(options, status) && all_select(options, status) &&
           is_complete(options, status);
}

/* Who is at which key server of a laboratory. */
static const struct {
    const char *sae;
    enum lab_kme kme;
} lab_ends[2][CHECK_END_COUNT] = {
    {{"alice", LAB_KME_A}, {"bob", LAB_KME_B}, {"carol", LAB_KME_B}},
    {{"bob", LAB_KME_B}, {"alice", LAB_KME_A}, {"dave", LAB_KME_A}}, /* --reverse */
};

static void fill_in(const char **value, const char *text)
{
    if (*value == NULL)
        *value = text;
}

static bool take_lab_end(struct check_options *options, struct check_run *run, enum check_end end,
                         struct status *status)
{
    const char *sae = lab_ends[options->reverse][end].sae;
    enum lab_kme kme = lab_ends[options->reverse][end].kme;
    bool streams = options->table->api == ENDPOINT_ETSI004;
    const char **values = options->values[end];

    if (!lab_path(&options->lab, options->lab_cert[end], status, "pki/%s.pem", sae) ||
        !lab_path(&options->lab, options->lab_key[end], status, "pki/%s.key", sae))
        return false;
    snprintf(options->lab_url[end], sizeof(options->lab_url[end]), "%s://localhost:%u",
             streams ? "etsi004" : "https",
             lab_port(&options->lab, kme, streams ? LAB_PORT_004 : LAB_PORT_014));
    run->lab_kmes[end] = kme;
    /* Laboratories of older versions have no third SAE. */
    if (end == CHECK_STRANGER && access(options->lab_cert[end], R_OK) != 0)
        return true;
    fill_in(&values[SETTING_SAE], sae);
    fill_in(&values[SETTING_KME], options->lab_url[end]);
    fill_in(&values[SETTING_CERT], options->lab_cert[end]);
    fill_in(&values[SETTING_KEY], options->lab_key[end]);
    fill_in(&values[SETTING_CA], options->lab_ca);
    return true;
}

static bool take_lab(struct check_options *options, struct check_run *run, struct status *status)
{
    if (options->lab_dir == NULL)
        return true;
    if (!lab_open(options->lab_dir, options->choices.restart, &options->lab, status))
        return false;
    run->lab = &options->lab;
    if (!lab_path(&options->lab, options->lab_ca, status, "pki/ca.pem"))
        return false;
    for (enum check_end end = 0; end < CHECK_END_COUNT; end++)
        if (!take_lab_end(options, run, end, status))
            return false;
    return true;
}

static bool take_end(struct check_run *run, enum check_end end, struct status *status)
{
    const struct status *fault;

    run->settings[end] = settings_new(run->values[end]);
    if (run->settings[end] == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory");
    fault = settings_fault(run->settings[end]);
    if (fault->outcome != OUTCOME_OK) {
        status_fail(status, fault->outcome, "%s", fault->text);
        return status_prefix(status, "the %s's end", check_end_text(end));
    }
    if (settings_api(run->settings[end]) != run->table->api)
        return status_fail(status, OUTCOME_INPUT, "%s is not a URL for --api %s",
                           settings_kme(run->settings[end]), run->table->api_text);
    return true;
}

bool check_run_open(struct check_options *options, struct check_run *run, struct status *status)
{
    *run = (struct check_run){.table = options->table, .choices = options->choices};
    if (take_lab(options, run, status)) {
        share(options);
        memcpy(run->values, options->values, sizeof(run->values));
        if (take_end(run, CHECK_INITIATOR, status) && take_end(run, CHECK_RESPONDER, status) &&
            (!has_stranger(options) || take_end(run, CHECK_STRANGER, status)))
            return true;
    }
    check_run_close(run);
    return false;
}

void check_run_close(struct check_run *run)
{
    for (enum check_end end = 0; end < CHECK_END_COUNT; end++) {
        settings_free(run->settings[end]);
        run->settings[end] = NULL;
    }
    if (run->lab != NULL)
        lab_close(run->lab);
    run->lab = NULL;
}
