/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/misbehave.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/admin.h"
#include "ctl/command.h"
#include "ctl/options.h"

enum {
    LIMIT_MS = 5000,
    REQUEST_MAX_BYTES = 4096,
    COMMON_ROWS = 2,
    TEXTS = 4,
    NUMBERS = 6,
    SET_ROWS = COMMON_ROWS + TEXTS + NUMBERS
};

/* Of a rule, as the admin side calls them; an option has a dash for each underscore. */
static const char *const text_names[TEXTS] = {"kind", "sae", "api", "method"};
static const struct {
    const char *option, *name;
} number_names[NUMBERS] = {{"ms", "ms"},     {"min-ms", "min_ms"}, {"max-ms", "max_ms"},
                           {"code", "code"}, {"one-in", "one_in"}, {"percent", "percent"}};

struct options {
    const char *admin;
    bool json;
    const char *texts[TEXTS];
    int64_t numbers[NUMBERS]; /* -1: not given */
    int64_t rule;             /* to clear; 0: all */
};

static void common_rows(struct options *options, struct option_row *rows)
{
    rows[0] = (struct option_row){"admin", OPTION_TEXT, {.text = &options->admin}, 0, 0};
    rows[1] = (struct option_row){"json", OPTION_FLAG, {.flag = &options->json}, 0, 0};
}

static bool parse(const struct option_row *rows, size_t count, int argc, char **argv,
                  struct options *options, unsigned *port, struct status *status)
{
    size_t word_count;

    if (!options_parse(rows, count, argc, argv, NULL, 0, &word_count, status))
        return false;
    if (options->admin == NULL)
        return status_fail(status, OUTCOME_INPUT,
                           "misbehave %s needs --admin http://127.0.0.1:PORT", argv[0]);
    return admin_port_parse(options->admin, port, status);
}

/* `request` is NULL to list; else it is posted, and freed. */
static bool talk(unsigned port, json_t *request, bool json, struct status *status)
{
    struct deadline deadline = deadline_in_ms(LIMIT_MS);
    char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    struct buf body, answer;
    int code = 0;
    bool ok;

    buf_init(&body, REQUEST_MAX_BYTES);
    buf_init(&answer, ADMIN_BODY_MAX_BYTES);
    if (text != NULL)
        buf_put_text(&body, text);
    if (request != NULL && (text == NULL || body.failed))
        ok = status_fail(status, OUTCOME_INPUT, "the rule is no valid UTF-8, or too long");
    else if (request != NULL)
        ok = admin_post(port, "/misbehave", &body, &deadline, &code, &answer, status);
    else
        ok = admin_get(port, "/misbehave", &deadline, &code, &answer, status);
    buf_put_u8(&answer, '\0');
    answer.length -= answer.failed ? 0 : 1;
    if (ok && answer.failed)
        ok = status_fail(status, OUTCOME_KME, "the answer is too large");
    if (ok && code != 200)
        ok = status_fail(status, OUTCOME_KME, "http://127.0.0.1:%u/misbehave answered %d: %.*s",
                         port, code, (int)strcspn((const char *)answer.data, "\n"),
                         (const char *)answer.data);
    ok = ok && misbehave_print(&answer, json, status);
    free(text);
    json_decref(request);
    buf_free(&body);
    buf_free(&answer);
    return ok;
}

static enum exit_code run_show(int argc, char **argv)
{
    struct status status = STATUS_INIT;
    struct options options = {0};
    struct option_row rows[COMMON_ROWS];
    unsigned port;

    common_rows(&options, rows);
    if (!parse(rows, COMMON_ROWS, argc, argv, &options, &port, &status))
        return command_misused(&status, "misbehave");
    return talk(port, NULL, options.json, &status) ? EXIT_DONE : command_failed(&status);
}

static json_t *rule_of(const struct options *options)
{
    json_t *rule = json_object();

    for (size_t i = 0; i < TEXTS; i++)
        if (options->texts[i] != NULL)
            json_object_set_new(rule, text_names[i], json_string(options->texts[i]));
    for (size_t i = 0; i < NUMBERS; i++)
        if (options->numbers[i] >= 0)
            json_object_set_new(rule, number_names[i].name, json_integer(options->numbers[i]));
    return json_pack("{s:o*}", "set", rule);
}

static enum exit_code run_set(int argc, char **argv)
{
    struct status status = STATUS_INIT;
    struct options options = {0};
    struct option_row rows[SET_ROWS], *next = rows + COMMON_ROWS;
    unsigned port;

    common_rows(&options, rows);
    for (size_t i = 0; i < TEXTS; i++)
        *next++ =
            (struct option_row){text_names[i], OPTION_TEXT, {.text = &options.texts[i]}, 0, 0};
    for (size_t i = 0; i < NUMBERS; i++) {
        options.numbers[i] = -1;
        *next++ = (struct option_row){
            number_names[i].option, OPTION_NUMBER, {.number = &options.numbers[i]}, 0, INT32_MAX};
    }
    if (!parse(rows, SET_ROWS, argc, argv, &options, &port, &status))
        return command_misused(&status, "misbehave");
    return talk(port, rule_of(&options), options.json, &status) ? EXIT_DONE
                                                                : command_failed(&status);
}

static enum exit_code run_clear(int argc, char **argv)
{
    struct status status = STATUS_INIT;
    struct options options = {0};
    struct option_row rows[COMMON_ROWS + 1];
    json_t *request;
    unsigned port;

    common_rows(&options, rows);
    rows[COMMON_ROWS] =
        (struct option_row){"rule", OPTION_NUMBER, {.number = &options.rule}, 1, INT32_MAX};
    if (!parse(rows, COMMON_ROWS + 1, argc, argv, &options, &port, &status))
        return command_misused(&status, "misbehave");
    request = options.rule != 0 ? json_pack("{s:I}", "clear", (json_int_t)options.rule)
                                : json_pack("{s:s}", "clear", "all");
    return talk(port, request, options.json, &status) ? EXIT_DONE : command_failed(&status);
}

static const struct command show = {.name = "show", .run = run_show};
static const struct command set = {.name = "set", .run = run_set};
static const struct command clear = {.name = "clear", .run = run_clear};

static enum exit_code run(int argc, char **argv)
{
    static const struct command *const rows[] = {&show, &set, &clear};

    return command_dispatch(rows, sizeof(rows) / sizeof(rows[0]), "qkdctl misbehave", argc, argv);
}

const struct command command_misbehave = {
    .name = "misbehave",
    .summary = "makes a key server do things wrong, to test its clients",
    .help =
        "usage: qkdctl misbehave show --admin URL [--json]\n"
        "       qkdctl misbehave set --admin URL --kind KIND [--sae ID] [--api 014|004]\n"
        "              [--method NAME] [--one-in N | --percent N] [--ms N | --min-ms N --max-ms "
        "N]\n"
        "              [--code N] [--json]\n"
        "       qkdctl misbehave clear --admin URL [--rule N] [--json]\n"
        "\n"
        "For laboratories: the key server obeys only where its configuration says\n"
        "admin = { ...; allow_misbehave = true; }. Each set adds a rule; clear ends one, or all.\n"
        "\n"
        "  --admin URL     http://127.0.0.1:PORT, the admin side of the key server\n"
        "  --kind KIND     delay, error, drop, depletion, flip (one bit of a key);\n"
        "                  with ETSI 014 also chunked, trailing_slash, used_404, empty_400,\n"
        "                  fewer_keys, unordered, upper_case_ids; with ETSI 004 status_7,\n"
        "                  wrong_index, short_key\n"
        "  --sae ID        for this SAE only\n"
        "  --api, --method for calls of this standard, or status, enc_keys, dec_keys,\n"
        "                  open_connect, get_key, close, only\n"
        "  --one-in N      every N-th time; --percent N: so many of a hundred. Default: always\n"
        "  --ms N          of a delay; --min-ms, --max-ms: random between them\n"
        "  --code N        of an error, with --api or --method: HTTP 400, 401, 404, 500, 503,\n"
        "                  or status 1 to 8\n"
        "  --rule N        as show numbers them\n"
        "  --json          for programs\n"
        "\n"
        "docs/misbehaviour.md says what clients report for each.\n",
    .run = run,
};
