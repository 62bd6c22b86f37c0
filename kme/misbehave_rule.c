/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/misbehave_rule.h"

#include <inttypes.h>
#include <string.h>

enum {
    DELAY_MAX_MS = 600000,
    ONE_IN_MAX = 1000000,
    ALL_014 = 1 << MISBEHAVE_STATUS | 1 << MISBEHAVE_ENC_KEYS | 1 << MISBEHAVE_DEC_KEYS,
    ALL_004 = 1 << MISBEHAVE_OPEN_CONNECT | 1 << MISBEHAVE_GET_KEY | 1 << MISBEHAVE_CLOSE,
    KEYS_014 = 1 << MISBEHAVE_ENC_KEYS | 1 << MISBEHAVE_DEC_KEYS
};

const char *const misbehave_kind_names[MISBEHAVE_KIND_COUNT] = {
    [MISBEHAVE_DELAY] = "delay",
    [MISBEHAVE_ERROR] = "error",
    [MISBEHAVE_DROP] = "drop",
    [MISBEHAVE_DEPLETION] = "depletion",
    [MISBEHAVE_FLIP] = "flip",
    [MISBEHAVE_CHUNKED] = "chunked",
    [MISBEHAVE_TRAILING_SLASH] = "trailing_slash",
    [MISBEHAVE_USED_404] = "used_404",
    [MISBEHAVE_EMPTY_400] = "empty_400",
    [MISBEHAVE_FEWER_KEYS] = "fewer_keys",
    [MISBEHAVE_UNORDERED] = "unordered",
    [MISBEHAVE_UPPER_CASE_IDS] = "upper_case_ids",
    [MISBEHAVE_STATUS_7] = "status_7",
    [MISBEHAVE_WRONG_INDEX] = "wrong_index",
    [MISBEHAVE_SHORT_KEY] = "short_key",
};

/* The calls that each kind can act in. */
static const unsigned calls_of_kind[MISBEHAVE_KIND_COUNT] = {
    [MISBEHAVE_DELAY] = ALL_014 | ALL_004,
    [MISBEHAVE_ERROR] = ALL_014 | ALL_004,
    [MISBEHAVE_DROP] = ALL_014 | ALL_004,
    [MISBEHAVE_DEPLETION] =
        1 << MISBEHAVE_STATUS | 1 << MISBEHAVE_ENC_KEYS | 1 << MISBEHAVE_GET_KEY,
    [MISBEHAVE_FLIP] = KEYS_014 | 1 << MISBEHAVE_GET_KEY,
    [MISBEHAVE_CHUNKED] = ALL_014,
    [MISBEHAVE_TRAILING_SLASH] = ALL_014,
    [MISBEHAVE_USED_404] = 1 << MISBEHAVE_DEC_KEYS,
    [MISBEHAVE_EMPTY_400] = 1 << MISBEHAVE_ENC_KEYS,
    [MISBEHAVE_FEWER_KEYS] = KEYS_014,
    [MISBEHAVE_UNORDERED] = KEYS_014,
    [MISBEHAVE_UPPER_CASE_IDS] = KEYS_014,
    [MISBEHAVE_STATUS_7] = 1 << MISBEHAVE_OPEN_CONNECT,
    [MISBEHAVE_WRONG_INDEX] = 1 << MISBEHAVE_GET_KEY,
    [MISBEHAVE_SHORT_KEY] = 1 << MISBEHAVE_GET_KEY,
};

static const char *const call_names[MISBEHAVE_CALL_COUNT] = {
    [MISBEHAVE_STATUS] = "status",     [MISBEHAVE_ENC_KEYS] = "enc_keys",
    [MISBEHAVE_DEC_KEYS] = "dec_keys", [MISBEHAVE_OPEN_CONNECT] = "open_connect",
    [MISBEHAVE_GET_KEY] = "get_key",   [MISBEHAVE_CLOSE] = "close",
};

static const char *const api_names[MISBEHAVE_EITHER] = {"014", "004"};

static const unsigned calls_of_api[] = {ALL_014, ALL_004, ALL_014 | ALL_004};

static const int codes_014[] = {400, 401, 404, 500, 503};

/* Numbers by name, with what is allowed. */
static const struct {
    const char *name;
    size_t offsets[2]; /* "ms" is both ends of a range */
    int64_t min, max;
} numbers[] = {
#define AT(member) offsetof(struct misbehave_rule, member)
    {"ms", {AT(min_ms), AT(max_ms)}, 1, DELAY_MAX_MS},
    {"min_ms", {AT(min_ms), AT(min_ms)}, 0, DELAY_MAX_MS},
    {"max_ms", {AT(max_ms), AT(max_ms)}, 1, DELAY_MAX_MS},
    {"code", {AT(code), AT(code)}, 1, 599},
    {"one_in", {AT(one_in), AT(one_in)}, 1, ONE_IN_MAX},
    {"percent", {AT(percent), AT(percent)}, 1, 100},
#undef AT
};

static int64_t *number_at(struct misbehave_rule *rule, size_t offset)
{
    return (int64_t *)((char *)rule + offset);
}

void misbehave_rule_init(struct misbehave_rule *rule)
{
    memset(rule, 0, sizeof(*rule));
    rule->kind = MISBEHAVE_KIND_COUNT;
    rule->api = MISBEHAVE_EITHER;
    rule->method = MISBEHAVE_CALL_COUNT;
}

/* The place of a name; `count` when it is not there. */
static size_t place_of(const char *const *names, size_t count, const char *name)
{
    size_t i = 0;

    while (i < count && strcmp(names[i], name) != 0)
        i++;
    return i;
}

static bool read_sae(struct misbehave_rule *rule, const char *text, struct status *status)
{
    size_t length = strlen(text);

    if (length == 0 || length > ETSI014_ID_MAX_CHARS)
        return status_fail(status, OUTCOME_INPUT, "sae is not a text of 1 to %d octets",
                           ETSI014_ID_MAX_CHARS);
    memcpy(rule->sae, text, length + 1);
    return true;
}

bool misbehave_rule_text(struct misbehave_rule *rule, const char *name, const char *text,
                         struct status *status)
{
    size_t place;

    if (strcmp(name, "sae") == 0)
        return read_sae(rule, text, status);
    if (strcmp(name, "kind") == 0) {
        place = place_of(misbehave_kind_names, MISBEHAVE_KIND_COUNT, text);
        rule->kind = (enum misbehave_kind)place;
        if (place < MISBEHAVE_KIND_COUNT)
            return true;
    } else if (strcmp(name, "api") == 0) {
        place = place_of(api_names, MISBEHAVE_EITHER, text);
        rule->api = (enum misbehave_api)place;
        if (place < MISBEHAVE_EITHER)
            return true;
    } else if (strcmp(name, "method") == 0) {
        place = place_of(call_names, MISBEHAVE_CALL_COUNT, text);
        rule->method = (enum misbehave_call)place;
        if (place < MISBEHAVE_CALL_COUNT)
            return true;
    } else {
        return status_fail(status, OUTCOME_INPUT,
                           "'%.40s' with a text is no member of a rule of misbehaviour", name);
    }
    return status_fail(status, OUTCOME_INPUT, "%s = '%.40s' is unknown", name, text);
}

bool misbehave_rule_number(struct misbehave_rule *rule, const char *name, int64_t number,
                           struct status *status)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(numbers[i].name, name) != 0)
            continue;
        if (number < numbers[i].min || number > numbers[i].max)
            return status_fail(status, OUTCOME_INPUT,
                               "%s = %" PRId64 " is outside %" PRId64 " to %" PRId64, name, number,
                               numbers[i].min, numbers[i].max);
        *number_at(rule, numbers[i].offsets[0]) = number;
        *number_at(rule, numbers[i].offsets[1]) = number;
        return true;
    }
    return status_fail(status, OUTCOME_INPUT,
                       "'%.40s' with a number is no member of a rule of misbehaviour", name);
}

static bool finish_delay(const struct misbehave_rule *rule, struct status *status)
{
    bool is_delay = rule->kind == MISBEHAVE_DELAY;

    if (is_delay && rule->max_ms == 0)
        return status_fail(status, OUTCOME_INPUT, "a delay needs ms, or min_ms and max_ms");
    if (is_delay && rule->min_ms > rule->max_ms)
        return status_fail(status, OUTCOME_INPUT, "min_ms = %" PRId64 " is above max_ms = %" PRId64,
                           rule->min_ms, rule->max_ms);
    if (!is_delay && (rule->min_ms != 0 || rule->max_ms != 0))
        return status_fail(status, OUTCOME_INPUT, "ms, min_ms and max_ms are for a delay, not '%s'",
                           misbehave_kind_names[rule->kind]);
    return true;
}

static bool is_code_014(int64_t code)
{
    for (size_t i = 0; i < sizeof(codes_014) / sizeof(codes_014[0]); i++)
        if (codes_014[i] == code)
            return true;
    return false;
}

static bool finish_error(const struct misbehave_rule *rule, struct status *status)
{
    bool in_014 = (rule->calls & ALL_014) != 0, in_004 = (rule->calls & ALL_004) != 0;

    if (rule->kind != MISBEHAVE_ERROR)
        return rule->code == 0 ||
               status_fail(status, OUTCOME_INPUT, "code is for an error, not '%s'",
                           misbehave_kind_names[rule->kind]);
    if (in_014 && in_004)
        return status_fail(status, OUTCOME_INPUT, "an error needs api, or method");
    if (in_014 && !is_code_014(rule->code))
        return status_fail(status, OUTCOME_INPUT,
                           "code = %" PRId64 " is not 400, 401, 404, 500 or 503", rule->code);
    if (in_004 && (rule->code < 1 || rule->code > 8))
        return status_fail(status, OUTCOME_INPUT, "code = %" PRId64 " is no status from 1 to 8",
                           rule->code);
    return true;
}

bool misbehave_rule_finish(struct misbehave_rule *rule, struct status *status)
{
    if (rule->kind == MISBEHAVE_KIND_COUNT)
        return status_fail(status, OUTCOME_INPUT, "a rule of misbehaviour needs a kind");
    rule->calls = calls_of_kind[rule->kind] & calls_of_api[rule->api];
    if (rule->method != MISBEHAVE_CALL_COUNT)
        rule->calls &= 1U << rule->method;
    if (rule->calls == 0)
        return status_fail(status, OUTCOME_INPUT, "'%s' has nothing to do with this api or method",
                           misbehave_kind_names[rule->kind]);
    if (rule->one_in != 0 && rule->percent != 0)
        return status_fail(status, OUTCOME_INPUT, "one_in and percent exclude each other");
    if (rule->one_in == 0 && rule->percent == 0)
        rule->one_in = 1;
    return finish_delay(rule, status) && finish_error(rule, status);
}

void misbehave_rule_visit(const struct misbehave_rule *rule,
                          void (*text)(void *arg, const char *name, const char *text),
                          void (*number)(void *arg, const char *name, int64_t number), void *arg)
{
    text(arg, "kind", misbehave_kind_names[rule->kind]);
    if (rule->sae[0] != '\0')
        text(arg, "sae", rule->sae);
    if (rule->api != MISBEHAVE_EITHER)
        text(arg, "api", api_names[rule->api]);
    if (rule->method != MISBEHAVE_CALL_COUNT)
        text(arg, "method", call_names[rule->method]);
    if (rule->kind == MISBEHAVE_DELAY) {
        number(arg, "min_ms", rule->min_ms);
        number(arg, "max_ms", rule->max_ms);
    }
    if (rule->kind == MISBEHAVE_ERROR)
        number(arg, "code", rule->code);
    if (rule->percent != 0)
        number(arg, "percent", rule->percent);
    else
        number(arg, "one_in", rule->one_in);
}

static void describe_text(void *arg, const char *name, const char *text)
{
    struct buf *to = arg;

    buf_put_format(to, "%s%s=%s", to->length > 0 ? " " : "", name, text);
}

static void describe_number(void *arg, const char *name, int64_t number)
{
    struct buf *to = arg;

    buf_put_format(to, "%s%s=%" PRId64, to->length > 0 ? " " : "", name, number);
}

void misbehave_rule_describe(const struct misbehave_rule *rule, struct buf *text)
{
    misbehave_rule_visit(rule, describe_text, describe_number, text);
}
