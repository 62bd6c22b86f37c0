/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "ctl/check014.h"

/* Whose ID stands in the path: the other end's. */
static const char *default_peer(const struct check_run *run, enum check_end end)
{
    return check_sae(run, end == CHECK_INITIATOR ? CHECK_RESPONDER : CHECK_INITIATOR);
}

void put_segment014(struct buf *path, const char *sae, bool all)
{
    for (; *sae != '\0'; sae++) {
        bool plain = (*sae >= 'a' && *sae <= 'z') || (*sae >= 'A' && *sae <= 'Z') ||
                     (*sae >= '0' && *sae <= '9') || strchr("-._~", *sae) != NULL;

        if (plain && !all)
            buf_put_u8(path, (uint8_t)*sae);
        else
            buf_put_format(path, "%%%02X", (unsigned char)*sae);
    }
}

void call014_path(const struct check_run *run, const struct call014 *call,
                  char path[static CHECK014_PATH_BYTES])
{
    struct buf text;

    buf_init(&text, CHECK014_PATH_BYTES - 1);
    buf_put_text(&text, "/api/v1/keys/");
    if (call->peer != NULL)
        buf_put_text(&text, call->peer);
    else
        put_segment014(&text, default_peer(run, call->end), false);
    buf_put_text(&text, "/");
    buf_put_text(&text, call->method);
    if (check014_of(run)->slash)
        buf_put_text(&text, "/");
    buf_put_text(&text, call->query != NULL ? call->query : "");
    snprintf(path, CHECK014_PATH_BYTES, "%.*s", text.failed ? 0 : (int)text.length,
             text.data != NULL ? (const char *)text.data : "");
    buf_free(&text);
}

/* How often a word stands in a body. */
static int64_t occurrences(const struct buf *body, const char *word)
{
    const uint8_t *at = body->data, *end = at + body->length;
    int64_t count = 0;

    while (body->length > 0 && (at = memmem(at, (size_t)(end - at), word, strlen(word))) != NULL) {
        at += strlen(word);
        count++;
    }
    return count;
}

bool call014(struct check_run *run, struct check_report *report, const struct call014 *call,
             struct answer *answer)
{
    struct deadline deadline = deadline_in_ms(run->choices.timeout_ms);
    struct status status = STATUS_INIT;
    char path[CHECK014_PATH_BYTES];
    const struct ask ask = {
        .method = call->verb,
        .path = path,
        .fields = call->fields,
        .body = call->body,
        .length = call->body != NULL ? strlen(call->body) : 0,
        .content_type = call->content_type,
    };
    bool ok;

    call014_path(run, call, path);
    answer_init(answer);
    ok = https_call(&check014_of(run)->ends[call->end], &ask, answer, &deadline, &status);
    check014_of(run)->last_code = ok ? answer->code : 0;
    if (!ok)
        return check_fail(report, "%s%s: expected an answer, came none: %s", call->method,
                          call->query != NULL ? call->query : "", status.text);
    if (strcmp(call->method, "enc_keys") == 0 && answer->code == 200)
        run->keys_consumed += occurrences(&answer->body, "\"key_ID\"");
    return true;
}

bool call014_refused(struct check_run *run, struct check_report *report, const char *what,
                     const struct call014 *call, int code, const char *message)
{
    struct answer answer;
    bool ok = call014(run, report, call, &answer) && expect_code(report, what, &answer, code) &&
              (message == NULL || expect_error(report, what, &answer, message));

    answer_free(&answer);
    return ok;
}

bool call014_not_allowed(struct check_run *run, struct check_report *report,
                         const struct call014 *call)
{
    struct answer answer;
    bool ok = call014(run, report, call, &answer) &&
              expect_code(report, call->verb, &answer, 405) &&
              (answer_field_is(&answer, "Allow", "") ||
               check_fail(report, "%s: expected the field Allow with 405, came none", call->verb));

    answer_free(&answer);
    return ok;
}

bool call014_refused_free(struct check_run *run, struct check_report *report, const char *what,
                          const struct call014 *call, int code, const char *message)
{
    enum { ATTEMPTS = 4 }; /* somebody else may take keys meanwhile */
    struct etsi014_status before, after;

    for (int i = 0; i < ATTEMPTS; i++) {
        if (!status014_get(run, report, &before) ||
            !call014_refused(run, report, what, call, code, message) ||
            !status014_get(run, report, &after))
            return false;
        if (after.stored_key_count >= before.stored_key_count)
            return true;
    }
    return check_fail(report,
                      "%s: expected that it costs no key, came stored_key_count %lld after "
                      "%lld",
                      what, (long long)after.stored_key_count, (long long)before.stored_key_count);
}
