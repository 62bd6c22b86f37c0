/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <string.h>

#include "ctl/check.h"
#include "ctl/check_print.h"

static const char *const end_texts[CHECK_END_COUNT] = {"initiator", "responder", "stranger"};

const char *check_end_text(enum check_end end)
{
    return end_texts[end];
}

const char *check_sae(const struct check_run *run, enum check_end end)
{
    return run->settings[end] != NULL ? settings_sae(run->settings[end]) : NULL;
}

/* One of the patterns between commas. */
static bool matches(const char *id, const char *patterns)
{
    char pattern[64];

    for (;;) {
        size_t length = strcspn(patterns, ",");

        if (length < sizeof(pattern)) {
            memcpy(pattern, patterns, length);
            pattern[length] = '\0';
            if (fnmatch(pattern, id, 0) == 0)
                return true;
        }
        if (patterns[length] == '\0')
            return false;
        patterns += length + 1;
    }
}

bool check_selected(const struct check *check, const struct check_choices *choices)
{
    if (choices->required_only && check->strictness != CHECK_REQUIRED)
        return false;
    return choices->only == NULL || matches(check->id, choices->only);
}

/* Why a check cannot be run with what was given; NULL when it can. */
static const char *what_lacks(const struct check_run *run, const struct check *check)
{
    const struct {
        enum check_need need;
        bool met;
        const char *text;
    } needs[] = {
        {CHECK_NEEDS_STRANGER, run->settings[CHECK_STRANGER] != NULL,
         "no third SAE was given (--stranger, --stranger-cert, --stranger-key)"},
        {CHECK_NEEDS_LAB, run->lab != NULL, "it needs a laboratory (--lab)"},
        {CHECK_NEEDS_RESTART, run->lab != NULL && run->choices.restart,
         "it ends key servers of a laboratory and starts them again: only with --lab and "
         "--restart"},
        {CHECK_NEEDS_DEPLETE, run->choices.deplete,
         "it asks for more keys than are stored: only with --deplete"},
        {CHECK_NEEDS_HEAVY, run->choices.heavy, "it takes much: only with --heavy"},
    };

    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
        if ((check->needs & needs[i].need) != 0 && !needs[i].met)
            return needs[i].text;
    return NULL;
}

static void run_one(struct check_run *run, const struct check *check, struct check_report *report)
{
    const char *lack = what_lacks(run, check);

    *report = (struct check_report){.result = CHECK_PASSED};
    if (check->run == NULL)
        check_skip(report, "not checked from outside: %s", check->not_from_outside);
    else if (lack != NULL)
        check_skip(report, "%s", lack);
    else
        check->run(run, report);
    run->counts[report->result]++;
}

bool check_table_run(struct check_run *run, struct status *status)
{
    const struct check_table *table = run->table;
    struct check_print print;

    if (table->begin != NULL && !table->begin(run, status))
        return false;
    check_print_begin(&print, run);
    for (size_t i = 0; i < table->count; i++) {
        struct check_report report;

        if (!check_selected(&table->rows[i], &run->choices))
            continue;
        run_one(run, &table->rows[i], &report);
        check_print_one(&print, &table->rows[i], &report);
    }
    if (table->end != NULL)
        table->end(run);
    return check_print_end(&print, run, status);
}
