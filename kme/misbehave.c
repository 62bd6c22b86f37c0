/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/misbehave.h"

#include <inttypes.h>
#include <string.h>

#include <openssl/rand.h>

enum { SENTENCE_BYTES = 600, PERCENT = 100, MS_PER_S = 1000, US_PER_MS = 1000 };

static bool is_due(const struct misbehave_active *active)
{
    uint64_t n = active->asked, percent = (uint64_t)active->rule.percent;

    if (percent == 0)
        return n % (uint64_t)active->rule.one_in == 0;
    return n * percent / PERCENT != (n - 1) * percent / PERCENT;
}

static bool is_about(const struct misbehave_rule *rule, enum misbehave_kind kind, const char *sae,
                     enum misbehave_call call)
{
    return rule->kind == kind && (rule->calls & 1U << call) != 0 &&
           (rule->sae[0] == '\0' || strcmp(rule->sae, sae) == 0);
}

const struct misbehave_rule *misbehave_now(struct misbehave *set, enum misbehave_kind kind,
                                           const char *sae, enum misbehave_call call)
{
    if (!misbehave_any(set))
        return NULL;
    for (size_t i = 0; i < set->count; i++) {
        struct misbehave_active *active = &set->items[i];

        if (!is_about(&active->rule, kind, sae, call))
            continue;
        active->asked++;
        if (is_due(active)) {
            active->happened++;
            set->happened[kind]++;
            return &active->rule;
        }
    }
    return NULL;
}

struct timeval misbehave_delay(const struct misbehave_rule *rule)
{
    uint64_t range = (uint64_t)(rule->max_ms - rule->min_ms) + 1, random = 0;
    int64_t ms;

    /* Without random numbers it is the shortest delay. */
    if (range > 1 && RAND_bytes((unsigned char *)&random, sizeof(random)) != 1)
        random = 0;
    ms = rule->min_ms + (int64_t)(random % range);
    return (struct timeval){ms / MS_PER_S, ms % MS_PER_S * US_PER_MS};
}

static void tell(const struct misbehave_active *active, const char *what, const struct log *log)
{
    struct buf text;

    buf_init(&text, SENTENCE_BYTES);
    misbehave_rule_describe(&active->rule, &text);
    log_line(log, LOG_LEVEL_WARN, "MISBEHAVIOUR ON COMMAND: rule %" PRId64 " %s: %.*s",
             active->number, what, (int)text.length, (const char *)text.data);
    buf_free(&text);
}

static bool add(struct misbehave *set, const struct misbehave_rule *rule, bool from_file,
                const struct log *log, struct status *status)
{
    struct misbehave_active *active;

    if (set->count == MISBEHAVE_RULES_MAX)
        return status_fail(status, OUTCOME_INPUT, "there are %d rules of misbehaviour already",
                           MISBEHAVE_RULES_MAX);
    active = &set->items[set->count++];
    *active = (struct misbehave_active){*rule, ++set->last_number, from_file, 0, 0};
    tell(active, from_file ? "of the configuration is in force" : "is in force", log);
    return true;
}

static void remove_at(struct misbehave *set, size_t place, const struct log *log)
{
    tell(&set->items[place], "is gone", log);
    memmove(&set->items[place], &set->items[place + 1],
            (set->count - place - 1) * sizeof(set->items[0]));
    set->count--;
}

void misbehave_load(struct misbehave *set, const struct misbehave_rule *rules, size_t count,
                    const struct log *log)
{
    struct status status = STATUS_INIT;

    for (size_t i = set->count; i-- > 0;)
        if (set->items[i].from_file)
            remove_at(set, i, log);
    for (size_t i = 0; i < count; i++)
        if (!add(set, &rules[i], true, log, &status)) {
            log_line(log, LOG_LEVEL_ERROR, "%zu rules of the configuration are left out: %s",
                     count - i, status.text);
            return;
        }
}

static bool clear(struct misbehave *set, int64_t number, const struct log *log,
                  struct status *status)
{
    bool found = number == 0;

    for (size_t i = set->count; i-- > 0;)
        if (number == 0 || set->items[i].number == number) {
            remove_at(set, i, log);
            found = true;
        }
    return found ||
           status_fail(status, OUTCOME_INPUT, "there is no rule %" PRId64 " to clear", number);
}

bool misbehave_request_apply(struct misbehave *set, const struct misbehave_request *request,
                             const struct log *log, struct status *status)
{
    if (request->what == MISBEHAVE_SET)
        return add(set, &request->rule, false, log, status);
    return clear(set, request->number, log, status);
}

void misbehave_put_metrics(const struct misbehave *set, struct buf *buf)
{
    buf_put_text(buf, "# HELP qkd_kme_misbehaviour_rules Rules of misbehaviour on command.\n"
                      "# TYPE qkd_kme_misbehaviour_rules gauge\n");
    buf_put_format(buf, "qkd_kme_misbehaviour_rules %zu\n", set->count);
    buf_put_text(buf, "# HELP qkd_kme_misbehaved_total What was done wrong on command.\n"
                      "# TYPE qkd_kme_misbehaved_total counter\n");
    for (int kind = 0; kind < MISBEHAVE_KIND_COUNT; kind++)
        buf_put_format(buf, "qkd_kme_misbehaved_total{kind=\"%s\"} %" PRIu64 "\n",
                       misbehave_kind_names[kind], set->happened[kind]);
}
