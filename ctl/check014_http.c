/* SPDX-License-Identifier: Apache-2.0 */
/* JSON and HTTP/1.1, whatever is asked for. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/check014.h"

static const struct call014 plain_status = {.end = CHECK_INITIATOR, .method = "status"};

/* A POST of enc_keys with this body. */
static struct call014 posting(const char *body)
{
    return (struct call014){.end = CHECK_INITIATOR, .method = "enc_keys", .body = body};
}

static bool delivers(struct check_run *run, struct check_report *report, const char *what,
                     const struct call014 *call, size_t number)
{
    struct keys014 keys;
    bool ok = keys014_get(run, report, what, call, number, 0, &keys);

    keys014_free(&keys);
    return ok;
}

void check_s14_39(struct check_run *run, struct check_report *report)
{
    const struct call014 unknown = posting("{\"number\": 1, \"qkdctl_unheard_of\": {\"a\": [1]}}");
    const struct call014 twice = posting("{\"number\": 1, \"number\": 1}");
    char id[KEY_ID_TEXT_CHARS + 1], body[256];
    const struct call014 claim = {.end = CHECK_RESPONDER, .method = "dec_keys", .body = body};
    struct keys014 keys;
    bool ok = keys014_get(run, report, "an unknown member", &unknown, 1, 0, &keys);

    if (ok) {
        key_id_format(&keys.container.keys[0].id, id);
        snprintf(body, sizeof(body), "{\"key_IDs\": [{\"key_ID\": \"%s\", \"x_y\": 1}], \"z\": 0}",
                 id);
        ok = delivers(run, report, "an unknown member beside key_ID", &claim, 1);
    }
    keys014_free(&keys);
    if (ok)
        call014_refused(run, report, "a member twice", &twice, 400, NULL);
    else if (check014_of(run)->last_code == 400 || check014_of(run)->last_code == 422)
        check_deviation(report, 8);
}

static bool refuse_nested(struct check_run *run, struct check_report *report)
{
    enum { DEPTH = 8000 };
    static char nested[DEPTH + 1];
    const struct call014 call = posting(nested);

    memset(nested, '[', DEPTH);
    return call014_refused(run, report, "8000 nested arrays", &call, 400, NULL);
}

void check_s14_40(struct check_run *run, struct check_report *report)
{
    static const char *const bodies[] = {
        "{", "[]", "7", "null", "\"x\"", "{\"number\":1}x", "\xff\xfe", "{\"x\":\"\xff\"}",
    };
    struct https *https = &check014_of(run)->ends[CHECK_INITIATOR];

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        const struct call014 call = posting(bodies[i]);

        if (!call014_refused(run, report, bodies[i], &call, 400, NULL)) {
            if (check014_of(run)->last_code == 200)
                check_deviation(report, 18);
            return;
        }
        if (https->connection == NULL &&
            !check_advise(run, report, "%s: expected the connection to stay, but it was closed",
                          bodies[i]))
            return;
    }
    refuse_nested(run, report);
}

/* A body that is announced and never sent: the key server must not wait for it. */
static void judge_oversize(struct check_run *run, struct check_report *report)
{
    struct deadline deadline = deadline_in_ms(run->choices.timeout_ms);
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys"};
    struct status status = STATUS_INIT;
    char path[CHECK014_PATH_BYTES];
    const struct ask ask = {
        .method = "POST", .path = path, .fields = "Content-Length: 1000000000\r\n"};
    struct https https;
    struct answer answer;
    struct buf request;

    https_init(&https, check014_of(run)->ends[CHECK_INITIATOR].endpoint);
    buf_init(&request, CHECK014_PATH_BYTES * 2);
    answer_init(&answer);
    call014_path(run, &call, path);
    https_put(&request, &https, &ask);
    if (!https_open(&https, &deadline, &status) ||
        !https_send(&https, request.data, request.length, &deadline, &status))
        check_broke(report, &status);
    else if (https_receive(&https, &answer, &deadline, &status)) {
        if (answer.code != 413 && answer.code != 400)
            check_fail(report, "a body of 1 GB: expected 413, came %s", answer_text(&answer).text);
    } else if (status.outcome == OUTCOME_TIMEOUT) {
        check_deviation(report, 33);
        check_fail(report, "a body of 1 GB: expected 413 at once, came nothing");
    }
    answer_free(&answer);
    buf_free(&request);
    https_close(&https);
}

void check_s14_41(struct check_run *run, struct check_report *report)
{
    static const struct call014 unknown[] = {
        {.end = CHECK_INITIATOR, .method = "nothing"},
        {.end = CHECK_INITIATOR, .method = "status/more"},
    };
    static const char *const verbs[] = {"PUT", "DELETE", "PATCH"};

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        if (!call014_refused(run, report, unknown[i].method, &unknown[i], 404, NULL))
            return;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        const struct call014 call = {
            .end = CHECK_INITIATOR, .method = "enc_keys", .verb = verbs[i], .body = "{}"};

        if (!call014_not_allowed(run, report, &call))
            return;
    }
    judge_oversize(run, report);
}

/* A refusal for which the standard has a table, or only HTTP. */
static bool judge_body(struct check_run *run, struct check_report *report, const char *what,
                       const struct call014 *call, bool in_tables)
{
    struct check_report inner = {.result = CHECK_PASSED};
    struct answer answer;

    if (call014(run, report, call, &answer) && answer.code != 200 && answer.code != 401 &&
        !expect_error(&inner, what, &answer, NULL)) {
        report->deviations |= inner.deviations;
        if (in_tables)
            check_fail(report, "%s", inner.text.text);
        else
            check_advise(run, report, "%s", inner.text.text);
    }
    answer_free(&answer);
    return report->result == CHECK_PASSED;
}

/* The initiator claims its own key. */
static void judge_401(struct check_run *run, struct check_report *report)
{
    struct keys014 keys;
    struct answer answer;
    struct ids014 ids;
    struct buf body;

    if (reserve014(run, report, NULL, 1, size014(run, 256), &keys)) {
        struct call014 call = {.end = CHECK_INITIATOR, .method = "dec_keys"};

        ids = ids014_of(&keys);
        call.body = ids014_body(&ids, &body);
        if (call014(run, report, &call, &answer) && answer.code == 401 && answer.body.length > 0) {
            check_deviation(report, 14);
            check_fail(report, "401: expected no body, came %zu octets", answer.body.length);
        }
        answer_free(&answer);
        buf_free(&body);
    }
    keys014_free(&keys);
}

void check_s14_42(struct check_run *run, struct check_report *report)
{
    static const struct {
        const char *what;
        struct call014 call;
        bool in_tables;
    } refusals[] = {
        {"a bad number",
         {.end = CHECK_INITIATOR, .method = "enc_keys", .query = "?number=-1"},
         true},
        {"an unknown SAE",
         {.end = CHECK_INITIATOR, .method = "status", .peer = "qkdctl-nobody"},
         true},
        {"no key_ID", {.end = CHECK_RESPONDER, .method = "dec_keys"}, true},
        {"broken JSON", {.end = CHECK_INITIATOR, .method = "enc_keys", .body = "{"}, true},
        {"an unknown path", {.end = CHECK_INITIATOR, .method = "nothing"}, false},
        {"PUT", {.end = CHECK_INITIATOR, .method = "status", .verb = "PUT", .body = "{}"}, false},
    };

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (!judge_body(run, report, refusals[i].what, &refusals[i].call, refusals[i].in_tables))
            return;
    judge_401(run, report);
}

static bool stays_open(struct check_run *run, struct check_report *report)
{
    struct answer answer;
    bool ok = call014(run, report, &plain_status, &answer);

    if (ok && check014_of(run)->ends[CHECK_INITIATOR].connection == NULL) {
        check_deviation(report, 30);
        ok = check_advise(run, report, "expected the connection to stay, but it was closed");
    }
    answer_free(&answer);
    return ok;
}

/* Sends pieces with a moment between them, and reads so many answers. */
static bool converse(struct check_run *run, struct https *https, const struct buf *octets,
                     struct answer *answers, size_t count, struct status *status)
{
    struct deadline deadline = deadline_in_ms(run->choices.timeout_ms);

    if (!https_open(https, &deadline, status) ||
        !https_send(https, octets->data, octets->length, &deadline, status))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!https_receive(https, &answers[i], &deadline, status) ||
            (https->connection == NULL && i + 1 < count))
            return status_fail(status, OUTCOME_KME, "it closed the connection after %zu answers",
                               i + 1);
    return true;
}

enum { ANSWERS_MAX = 3 };

/* Requests in one write must get answers with these codes, in order. */
static bool expect_codes(struct check_run *run, struct check_report *report, const char *what,
                         const struct buf *octets, const int *codes, size_t count)
{
    struct https *https = &check014_of(run)->ends[CHECK_INITIATOR];
    struct answer answers[ANSWERS_MAX];
    struct status status = STATUS_INIT;
    bool ok;

    for (size_t i = 0; i < count; i++)
        answer_init(&answers[i]);
    ok = converse(run, https, octets, answers, count, &status);
    if (!ok)
        check_fail(report, "%s: %s", what, status.text);
    for (size_t i = 0; i < count; i++) {
        ok = ok && expect_code(report, what, &answers[i], codes[i]);
        answer_free(&answers[i]);
    }
    return ok;
}

static void put_call(struct check_run *run, struct buf *octets, const struct call014 *call,
                     const char *fields, const char *verb)
{
    char path[CHECK014_PATH_BYTES];
    const struct ask ask = {.method = verb,
                            .path = path,
                            .fields = fields,
                            .body = call->body,
                            .length = call->body != NULL ? strlen(call->body) : 0};

    call014_path(run, call, path);
    https_put(octets, &check014_of(run)->ends[call->end], &ask);
}

static bool pipelined(struct check_run *run, struct check_report *report)
{
    const struct call014 bad = {
        .end = CHECK_INITIATOR, .method = "enc_keys", .query = "?number=-1"};
    const int codes[] = {200, 400, 200};
    struct buf octets;
    bool ok;

    buf_init(&octets, CHECK014_BODY_BYTES);
    put_call(run, &octets, &plain_status, NULL, NULL);
    put_call(run, &octets, &bad, NULL, NULL);
    put_call(run, &octets, &plain_status, NULL, NULL);
    ok = expect_codes(run, report, "three requests at once", &octets, codes, 3);
    buf_free(&octets);
    return ok;
}

/* What a GET has for a body must not be taken for the next request. */
static bool body_on_get(struct check_run *run, struct check_report *report)
{
    const struct call014 with_body = {
        .end = CHECK_INITIATOR, .method = "status", .body = "GET /nothing HTTP/1.1\r\n\r\n"};
    const int codes[] = {200, 200};
    struct buf octets;
    bool ok;

    buf_init(&octets, CHECK014_BODY_BYTES);
    put_call(run, &octets, &with_body, NULL, "GET");
    put_call(run, &octets, &plain_status, NULL, NULL);
    ok = expect_codes(run, report, "GET with a body", &octets, codes, 2);
    buf_free(&octets);
    return ok;
}

static bool chunked(struct check_run *run, struct check_report *report)
{
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys"};
    const int codes[] = {400, 200};
    struct buf octets;
    bool ok;

    /* A refusal shows as well that the body was read, and costs nothing. */
    buf_init(&octets, CHECK014_BODY_BYTES);
    put_call(run, &octets, &call,
             "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", "POST");
    buf_put_text(&octets, "5;x=y\r\n{\"num\r\n9\r\nber\": -1}\r\n0\r\n\r\n");
    put_call(run, &octets, &plain_status, NULL, NULL);
    ok = expect_codes(run, report, "a chunked body", &octets, codes, 2);
    buf_free(&octets);
    return ok;
}

/* RFC 9110 section 10.1.1: a client that has waited for 100 without success sends its body. */
static bool expect_continue(struct check_run *run, struct check_report *report)
{
    enum { PATIENCE_MS = 1000 };
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys"};
    struct https *https = &check014_of(run)->ends[CHECK_INITIATOR];
    struct deadline deadline = deadline_in_ms(run->choices.timeout_ms);
    struct deadline patience = deadline_in_ms(PATIENCE_MS);
    struct status status = STATUS_INIT, impatience = STATUS_INIT;
    const char body[] = "{\"number\": -1}";
    struct answer answer;
    struct buf head;
    char fields[160];
    bool ok, told;

    snprintf(fields, sizeof(fields),
             "Content-Type: application/json\r\nContent-Length: %zu\r\nExpect: 100-continue\r\n",
             strlen(body));
    buf_init(&head, CHECK014_BODY_BYTES);
    answer_init(&answer);
    put_call(run, &head, &call, fields, "POST");
    ok = https_open(https, &deadline, &status) &&
         https_send(https, head.data, head.length, &deadline, &status);
    told = ok && https_await_interim(https, &patience, &impatience);
    ok = ok && https_send(https, body, strlen(body), &deadline, &status) &&
         https_receive(https, &answer, &deadline, &status);
    buf_free(&head);
    if (!ok)
        check_fail(report, "Expect: 100-continue: %s", status.text);
    else
        ok = expect_code(report, "Expect: 100-continue", &answer, 400) &&
             (told || check_advise(run, report, "Expect: 100-continue: expected 100, came none"));
    answer_free(&answer);
    return ok;
}

void check_s14_44(struct check_run *run, struct check_report *report)
{
    if (stays_open(run, report) && pipelined(run, report) && body_on_get(run, report) &&
        chunked(run, report))
        expect_continue(run, report);
}
