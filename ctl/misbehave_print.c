/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/misbehave.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

enum { RULES_MAX = 1024 };

/* Names come from another program: only what a terminal shows as it is. */
static void print_text(const char *text)
{
    for (; *text != '\0'; text++)
        putchar(*text >= 0x20 && *text < 0x7f ? *text : '?');
}

static int64_t integer_of(const json_t *rule, const char *name)
{
    return json_integer_value(json_object_get(rule, name));
}

static void print_members(json_t *rule)
{
    static const char *const apart[] = {"rule", "origin", "kind", "asked", "happened"};
    const char *name;
    json_t *value;

    json_object_foreach(rule, name, value)
    {
        size_t i = 0;

        while (i < sizeof(apart) / sizeof(apart[0]) && strcmp(apart[i], name) != 0)
            i++;
        if (i < sizeof(apart) / sizeof(apart[0]))
            continue;
        putchar(' ');
        print_text(name);
        putchar('=');
        if (json_is_integer(value))
            printf("%" PRId64, (int64_t)json_integer_value(value));
        else if (json_is_string(value))
            print_text(json_string_value(value));
    }
}

static void print_rule(json_t *rule)
{
    const char *kind = json_string_value(json_object_get(rule, "kind"));
    const char *origin = json_string_value(json_object_get(rule, "origin"));

    printf("%4" PRId64 "  %-14s  %-13s  %8" PRId64 "  %8" PRId64 " ", integer_of(rule, "rule"),
           kind != NULL ? kind : "?", origin != NULL ? origin : "?", integer_of(rule, "asked"),
           integer_of(rule, "happened"));
    print_members(rule);
    putchar('\n');
}

static bool print_table(json_t *root, struct status *status)
{
    json_t *rules = json_object_get(root, "rules");

    if (!json_is_array(rules) || json_array_size(rules) > RULES_MAX)
        return status_fail(status, OUTCOME_KME, "the answer has no list of at most %d rules",
                           RULES_MAX);
    if (json_array_size(rules) == 0) {
        puts("no rules: the key server behaves");
        return true;
    }
    puts("rule  kind            origin            asked  happened  about");
    for (size_t i = 0; i < json_array_size(rules); i++)
        print_rule(json_array_get(rules, i));
    return true;
}

bool misbehave_print(const struct buf *answer, bool json, struct status *status)
{
    json_t *root =
        json_loadb((const char *)answer->data, answer->length, JSON_REJECT_DUPLICATES, NULL);
    bool ok;

    if (root == NULL)
        return status_fail(status, OUTCOME_KME, "the answer is not JSON");
    if (json) {
        printf("%.*s", (int)answer->length, (const char *)answer->data);
        ok = true;
    } else {
        ok = print_table(root, status);
    }
    json_decref(root);
    return ok;
}
