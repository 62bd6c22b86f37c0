/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check014.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

/* Whose ID stands in the path: the other end's. */
static const char *default_peer(const struct check_run *run, enum check_end end)
{
    return check_sae(run, end == CHECK_INITIATOR ? CHECK_RESPONDER : CHECK_INITIATOR);
}

static void put_percent(struct buf *path, const char *sae)
{
    for (; *sae != '\0'; sae++) {
        bool plain = (*sae >= 'a' && *sae <= 'z') || (*sae >= 'A' && *sae <= 'Z') ||
                     (*sae >= '0' && *sae <= '9') || strchr("-._~", *sae) != NULL;

        buf_put_format(path, plain ? "%c" : "%%%02X", (unsigned char)*sae);
    }
}

void call014_path(const struct check_run *run, const struct call014 *call,
                  char path[static CHECK014_TEXT_BYTES])
{
    struct buf text;

    buf_init(&text, CHECK014_TEXT_BYTES - 1);
    buf_put_text(&text, "/api/v1/keys/");
    if (call->peer != NULL)
        buf_put_text(&text, call->peer);
    else
        put_percent(&text, default_peer(run, call->end));
    buf_put_format(&text, "/%s%s", call->method, call->query != NULL ? call->query : "");
    snprintf(path, CHECK014_TEXT_BYTES, "%.*s", text.failed ? 0 : (int)text.length,
             text.data != NULL ? (const char *)text.data : "");
    buf_free(&text);
}

bool call014(struct check_run *run, struct check_report *report, const struct call014 *call,
             struct answer *answer)
{
    struct deadline deadline = deadline_in_ms(run->choices.timeout_ms);
    struct status status = STATUS_INIT;
    char path[CHECK014_TEXT_BYTES];
    const struct ask ask = {
        .method = call->verb,
        .path = path,
        .fields = call->fields,
        .body = call->body,
        .length = call->body != NULL ? strlen(call->body) : 0,
        .content_type = call->content_type,
    };

    call014_path(run, call, path);
    answer_init(answer);
    if (https_call(&check014_of(run)->ends[call->end], &ask, answer, &deadline, &status))
        return true;
    return check_fail(report, "%s%s: expected an answer, came none: %s", call->method,
                      call->query != NULL ? call->query : "", status.text);
}

/* Whether a body may hold keys. */
static bool has_keys(const struct answer *answer)
{
    return answer->code == 200 ||
           (answer->body.length > 0 &&
            memmem(answer->body.data, answer->body.length, "\"key", strlen("\"key")) != NULL);
}

struct answer_text answer_text(const struct answer *answer)
{
    enum { SHOWN_CHARS = 80 };
    struct answer_text result;
    int shown = answer->body.length < SHOWN_CHARS ? (int)answer->body.length : SHOWN_CHARS;

    if (answer->body.length == 0)
        snprintf(result.text, sizeof(result.text), "%d without a body", answer->code);
    else if (has_keys(answer))
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

/* Looks for what is known of servers that do not send an Error object. */
static void recognise_error(struct check_report *report, const json_t *body)
{
    if (json_is_string(json_object_get(body, "detail")) ||
        json_is_array(json_object_get(body, "detail")))
        check_deviation(report, 11);
    else
        check_deviation(report, 12);
}

static bool expect_error(struct check_report *report, const char *what, const struct answer *answer,
                         const char *message)
{
    json_t *body = json_loadb((const char *)answer->body.data, answer->body.length,
                              JSON_REJECT_DUPLICATES, NULL);
    const char *said = json_string_value(json_object_get(body, "message"));
    const json_t *details = json_object_get(body, "details");
    bool ok = true;

    if (said == NULL) {
        recognise_error(report, body);
        ok = check_fail(report, "%s: expected an Error object with \"message\", came %s", what,
                        answer_text(answer).text);
    } else if (details != NULL && !json_is_array(details)) {
        check_deviation(report, 13);
        ok = check_fail(report, "%s: expected \"details\" to be an array, came %s", what,
                        answer_text(answer).text);
    } else if (message != NULL && strcmp(said, message) != 0) {
        ok = check_fail(report, "%s: expected the message \"%s\", came %s", what, message,
                        answer_text(answer).text);
    }
    json_decref(body);
    return ok;
}

bool expect_refusal(struct check_report *report, const char *what, const struct answer *answer,
                    int code, const char *message)
{
    if (answer->code != code)
        return check_fail(report, "%s: expected %d with an Error object, came %s", what, code,
                          answer_text(answer).text);
    if (!answer_field_is(answer, "Content-Type", "application/json")) {
        check_deviation(report, 12);
        return check_fail(report, "%s: expected Content-Type application/json, came %s", what,
                          answer_text(answer).text);
    }
    return expect_error(report, what, answer, message);
}

bool call014_refused(struct check_run *run, struct check_report *report, const char *what,
                     const struct call014 *call, int code, const char *message)
{
    struct answer answer;
    bool ok =
        call014(run, report, call, &answer) && expect_refusal(report, what, &answer, code, message);

    answer_free(&answer);
    return ok;
}
