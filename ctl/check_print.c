/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const result_texts[CHECK_RESULT_COUNT] = {"passed", "failed", "skipped"};
static const char *const strictness_texts[] = {
    [CHECK_REQUIRED] = "required",
    [CHECK_RECOMMENDED] = "recommended",
};

void check_print_begin(struct check_print *print, const struct check_run *run)
{
    print->checks = run->choices.json ? json_array() : NULL;
    if (print->checks != NULL)
        return;
    printf("ETSI GS QKD %s\n", run->table->api_text);
    for (enum check_end end = 0; end < CHECK_END_COUNT; end++)
        if (run->settings[end] != NULL)
            printf("%-10s SAE %s at %s\n", check_end_text(end), settings_sae(run->settings[end]),
                   settings_kme(run->settings[end]));
    putchar('\n');
}

static void print_line(const struct check *check, const struct check_report *report)
{
    printf("%s  %-7s  %s", check->id, result_texts[report->result], check->name);
    if (report->text.outcome != OUTCOME_OK)
        printf(": %s", report->text.text);
    for (unsigned number = 0; number < CHECK_DEVIATIONS_MAX; number++)
        if ((report->deviations >> number & 1) != 0)
            printf("; known deviation D%u: %s", number, check_deviation_text(number));
    putchar('\n');
    fflush(stdout);
}

static json_t *check_json(const struct check *check)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "id", check->id, "name", check->name, "clause",
                     check->clause, "strictness", strictness_texts[check->strictness]);
}

static json_t *one_json(const struct check *check, const struct check_report *report)
{
    json_t *one = check_json(check);
    json_t *deviations = json_array();

    json_object_set_new(one, "result", json_string(result_texts[report->result]));
    json_object_set_new(one, "text", json_string(report->text.text));

    for (unsigned number = 0; number < CHECK_DEVIATIONS_MAX; number++)
        if ((report->deviations >> number & 1) != 0)
            json_array_append_new(deviations, json_sprintf("D%u", number));
    json_object_set_new(one, "deviations", deviations);
    return one;
}

void check_print_one(struct check_print *print, const struct check *check,
                     const struct check_report *report)
{
    if (print->checks != NULL)
        json_array_append_new(print->checks, one_json(check, report));
    else
        print_line(check, report);
}

static json_t *ends_json(const struct check_run *run)
{
    json_t *ends = json_object();

    for (enum check_end end = 0; end < CHECK_END_COUNT; end++)
        if (run->settings[end] != NULL)
            json_object_set_new(ends, check_end_text(end),
                                json_pack("{s:s, s:s}", "sae", settings_sae(run->settings[end]),
                                          "kme", settings_kme(run->settings[end])));
    return ends;
}

static size_t total(const struct check_run *run)
{
    return run->counts[CHECK_PASSED] + run->counts[CHECK_FAILED] + run->counts[CHECK_SKIPPED];
}

/* Takes it over. */
static bool print_json(json_t *whole, struct status *status)
{
    char *text = whole != NULL ? json_dumps(whole, JSON_INDENT(2)) : NULL;
    bool done = text != NULL && puts(text) != EOF;

    free(text);
    json_decref(whole);
    return done || status_fail(status, OUTCOME_INTERNAL, "the report cannot be written as JSON");
}

bool check_print_end(struct check_print *print, const struct check_run *run, struct status *status)
{
    json_t *whole;

    if (print->checks == NULL) {
        printf("\n%zu check%s: %zu passed, %zu failed, %zu skipped\n"
               "%" PRId64 " keys were consumed\n",
               total(run), total(run) == 1 ? "" : "s", run->counts[CHECK_PASSED],
               run->counts[CHECK_FAILED], run->counts[CHECK_SKIPPED], run->keys_consumed);
        return true;
    }
    whole = json_pack("{s:s, s:o, s:o, s:{s:I, s:I, s:I, s:I}, s:I}", "api", run->table->api_text,
                      "ends", ends_json(run), "checks", print->checks, "summary", "checks",
                      (json_int_t)total(run), "passed", (json_int_t)run->counts[CHECK_PASSED],
                      "failed", (json_int_t)run->counts[CHECK_FAILED], "skipped",
                      (json_int_t)run->counts[CHECK_SKIPPED], "keys_consumed",
                      (json_int_t)run->keys_consumed);
    return print_json(whole, status);
}

bool check_table_list(const struct check_table *table, const struct check_choices *choices,
                      struct status *status)
{
    json_t *checks = choices->json ? json_array() : NULL;

    for (size_t i = 0; i < table->count; i++) {
        const struct check *check = &table->rows[i];

        if (!check_selected(check, choices))
            continue;
        if (checks != NULL)
            json_array_append_new(checks, check_json(check));
        else
            printf("%s  %-11s  %-10s  %s\n", check->id, strictness_texts[check->strictness],
                   check->clause, check->name);
    }
    return !choices->json ||
           print_json(json_pack("{s:s, s:o}", "api", table->api_text, "checks", checks), status);
}
