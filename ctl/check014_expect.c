/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "ctl/check014.h"

bool answer_has_keys(const struct answer *answer)
{
    return octets_have_keys(answer->body.data, answer->body.length);
}

struct answer_text answer_text(const struct answer *answer)
{
    enum { SHOWN_CHARS = 80 };
    struct answer_text result;
    int shown = answer->body.length < SHOWN_CHARS ? (int)answer->body.length : SHOWN_CHARS;

    if (answer->body.length == 0)
        snprintf(result.text, sizeof(result.text), "%d without a body", answer->code);
    else if (answer->code == 200 || answer_has_keys(answer))
        snprintf(result.text, sizeof(result.text), "%d with %zu octets", answer->code,
                 answer->body.length);
    else
        snprintf(result.text, sizeof(result.text), "%d with %.*s", answer->code, shown,
                 (const char *)answer->body.data);
    return result;
}

bool expect_code(struct check_report *report, const char *what, const struct answer *answer,
                 int code)
{
    return answer->code == code ||
           check_fail(report, "%s: expected %d, came %s", what, code, answer_text(answer).text);
}

static bool judge_error(struct check_report *report, const char *what, const struct answer *answer,
                        const json_t *body, const char *message)
{
    const char *said = json_string_value(json_object_get(body, "message"));
    const json_t *details = json_object_get(body, "details");

    if (said == NULL) {
        check_deviation(report, json_object_get(body, "detail") != NULL ? 11 : 12);
        return check_fail(report, "%s: expected an Error object with a message, came %s", what,
                          answer_text(answer).text);
    }
    if (details != NULL && !json_is_array(details)) {
        check_deviation(report, 13);
        return check_fail(report, "%s: expected details to be an array, came %s", what,
                          answer_text(answer).text);
    }
    return message == NULL || strcmp(said, message) == 0 ||
           check_fail(report, "%s: expected the message \"%s\", came %s", what, message,
                      answer_text(answer).text);
}

bool expect_error(struct check_report *report, const char *what, const struct answer *answer,
                  const char *message)
{
    json_t *body = NULL;
    bool ok;

    if (answer_has_keys(answer))
        return check_fail(report, "%s: expected an Error object, came keys with %d", what,
                          answer->code);
    if (answer->body.length > 0)
        body = json_loadb((const char *)answer->body.data, answer->body.length,
                          JSON_REJECT_DUPLICATES, NULL);
    ok = judge_error(report, what, answer, body, message);
    json_decref(body);
    if (ok && !answer_field_is(answer, "Content-Type", "application/json")) {
        check_deviation(report, 12);
        return check_fail(report, "%s: expected Content-Type application/json, came another", what);
    }
    return ok;
}

bool expect_unauthorised(struct check_report *report, const char *what, const struct answer *answer)
{
    if (answer->code != 401) {
        if (answer->code != 200)
            check_deviation(report, 25);
        return check_fail(report, "%s: expected 401, came %s", what, answer_text(answer).text);
    }
    return !answer_has_keys(answer) ||
           check_fail(report, "%s: expected 401 without a key, came 401 with keys", what);
}
