/* SPDX-License-Identifier: Apache-2.0 */
/* enc_keys: what is refused. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/check014.h"

/* A request that must be refused with 400. */
struct bad {
    const char *query, *body; /* one of them */
};

static bool refuse_all(struct check_run *run, struct check_report *report, const struct bad *bads,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct call014 call = {.end = CHECK_INITIATOR,
                                     .method = "enc_keys",
                                     .query = bads[i].query,
                                     .body = bads[i].body};
        const char *what = bads[i].query != NULL ? bads[i].query : bads[i].body;

        if (!call014_refused(run, report, what, &call, 400, NULL))
            return false;
    }
    return true;
}

static bool refuse_number(struct check_run *run, struct check_report *report, int64_t number)
{
    char query[48], body[48];
    const struct bad bads[] = {{query, NULL}, {NULL, body}};

    snprintf(query, sizeof(query), "?number=%" PRId64, number);
    snprintf(body, sizeof(body), "{\"number\": %" PRId64 "}", number);
    return refuse_all(run, report, bads, sizeof(bads) / sizeof(bads[0]));
}

void check_s14_15(struct check_run *run, struct check_report *report)
{
    static const struct bad bads[] = {
        {"?number=-1", NULL},
        {"?number=1.5", NULL},
        {"?number=x", NULL},
        {"?number=", NULL},
        {NULL, "{\"number\": -1}"},
        {NULL, "{\"number\": 1.5}"},
        {NULL, "{\"number\": \"3\"}"},
        {NULL, "{\"number\": null}"},
        {NULL, "{\"number\": true}"},
        {NULL, "{\"number\": [1]}"},
        {"?number=99999999999999999999", NULL},
    };
    const struct check014 *state = check014_of(run);
    struct check_report inner = {.result = CHECK_PASSED};

    if (!refuse_all(run, report, bads, sizeof(bads) / sizeof(bads[0])))
        return;
    if (state->limits_known && state->limits.max_key_per_request > 0 &&
        !refuse_number(run, report, state->limits.max_key_per_request + 1))
        return;
    if (!refuse_number(run, &inner, 0)) {
        if (check014_of(run)->last_code == 200)
            check_deviation(report, 17);
        check_advise(run, report, "%s", inner.text.text);
    }
}

static bool refuse_size(struct check_run *run, struct check_report *report, int64_t size_bits)
{
    char query[48], body[48];
    const struct bad bads[] = {{query, NULL}, {NULL, body}};

    snprintf(query, sizeof(query), "?size=%" PRId64, size_bits);
    snprintf(body, sizeof(body), "{\"size\": %" PRId64 "}", size_bits);
    return refuse_all(run, report, bads, sizeof(bads) / sizeof(bads[0]));
}

/* A key server may serve sizes that are no multiple of 8; if not, the message is fixed. */
static void judge_odd_size(struct check_run *run, struct check_report *report)
{
    const int64_t odd = size014(run, 256) + 1;
    char query[48];
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys", .query = query};
    struct answer answer;

    if (odd > check014_of(run)->limits.max_key_size_bits)
        return;
    snprintf(query, sizeof(query), "?size=%" PRId64, odd);
    if (call014(run, report, &call, &answer)) {
        if (answer.code == 200) {
            check_deviation(report, 21);
            check_note(report, "it serves a size of %" PRId64 " bits, as it may", odd);
        } else if (expect_code(report, query, &answer, 400)) {
            expect_error(report, query, &answer, etsi014_size_not_multiple_of_8);
        }
    }
    answer_free(&answer);
}

void check_s14_16(struct check_run *run, struct check_report *report)
{
    static const struct bad bads[] = {
        {"?size=-8", NULL},         {"?size=256.5", NULL},       {"?size=big", NULL},
        {NULL, "{\"size\": -8}"},   {NULL, "{\"size\": 256.5}"}, {NULL, "{\"size\": \"256\"}"},
        {NULL, "{\"size\": true}"},
    };
    const struct check014 *state = check014_of(run);
    const int64_t min_bits = state->limits.min_key_size_bits / 8 * 8;
    const int64_t max_bits = state->limits.max_key_size_bits / 8 * 8;

    if (!refuse_all(run, report, bads, sizeof(bads) / sizeof(bads[0])) ||
        !refuse_size(run, report, 0))
        return;
    if (state->limits_known && min_bits > 8 && !refuse_size(run, report, min_bits - 8))
        return;
    if (state->limits_known && max_bits > 0 && !refuse_size(run, report, max_bits + 8))
        return;
    judge_odd_size(run, report);
}

/* Whether "details" of the answer to `call` names the extension. */
static void judge_details(struct check_run *run, struct check_report *report,
                          const struct call014 *call, const char *name)
{
    struct answer answer;

    if (call014(run, report, call, &answer) &&
        memmem(answer.body.data, answer.body.length, name, strlen(name)) == NULL)
        check_advise(run, report, "expected details to name %s, came %s", name,
                     answer_text(&answer).text);
    answer_free(&answer);
}

void check_s14_17(struct check_run *run, struct check_report *report)
{
    const struct call014 call = {.end = CHECK_INITIATOR,
                                 .method = "enc_keys",
                                 .body = "{\"extension_mandatory\": [{\"qkdctl_unheard_of\": 1}]}"};

    if (call014_refused_free(run, report, "an unknown mandatory extension", &call, 400,
                             etsi014_extension_mandatory_unsupported))
        judge_details(run, report, &call, "qkdctl_unheard_of");
}

/* A request with these additional slaves, as JSON. */
static bool refuse_slaves(struct check_run *run, struct check_report *report, const char *what,
                          const json_t *ids)
{
    json_t *request = json_pack("{s:O}", "additional_slave_SAE_IDs", ids);
    char *body = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys", .body = body};
    bool ok = body != NULL && call014_refused_free(run, report, what, &call, 400, NULL);

    if (body == NULL)
        check_fail(report, "out of memory");
    free(body);
    json_decref(request);
    return ok;
}

void check_s14_21(struct check_run *run, struct check_report *report)
{
    enum { MOST = 1024 };
    const int64_t max = check014_of(run)->limits.max_sae_id_count;
    json_t *ids = json_array();
    char what[64];

    if (max >= MOST) {
        check_skip(report, "max_SAE_ID_count is %" PRId64 ", more than is tried here", max);
    } else {
        for (int64_t i = 0; i <= max; i++)
            json_array_append_new(ids, json_sprintf("qkdctl-nobody-%d", (int)i));
        snprintf(what, sizeof(what), "%zu additional SAEs", json_array_size(ids));
        refuse_slaves(run, report, what, ids);
    }
    json_decref(ids);
}

void check_s14_22(struct check_run *run, struct check_report *report)
{
    const char *self = check_sae(run, CHECK_INITIATOR), *slave = check_sae(run, CHECK_RESPONDER);
    const char *third = check_sae(run, CHECK_STRANGER);
    const struct {
        const char *what;
        json_t *ids;
    } lists[] = {
        {"an empty ID", json_pack("[s]", "")},
        {"the initiator's own ID", json_pack("[s]", self)},
        {"the responder's ID again", json_pack("[s]", slave)},
        {"a number", json_pack("[i]", 7)},
        {"an ID twice",
         json_pack("[s, s]", third != NULL ? third : slave, third != NULL ? third : slave)},
    };
    bool ok = true;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        ok = ok && refuse_slaves(run, report, lists[i].what, lists[i].ids);
        json_decref(lists[i].ids);
    }
}

void check_s14_23(struct check_run *run, struct check_report *report)
{
    char self[CHECK014_PATH_BYTES];
    const char *const peers[] = {"qkdctl-nobody", self};
    const char *const methods[] = {"status", "enc_keys"};
    struct buf segment;

    buf_init(&segment, sizeof(self) - 1);
    put_segment014(&segment, check_sae(run, CHECK_INITIATOR), false);
    snprintf(self, sizeof(self), "%.*s", (int)segment.length,
             segment.data != NULL ? (const char *)segment.data : "");
    buf_free(&segment);
    for (size_t i = 0; i < 4; i++) {
        const struct call014 call = {
            .end = CHECK_INITIATOR, .method = methods[i % 2], .peer = peers[i / 2]};
        char what[CHECK014_PATH_BYTES + 64];

        snprintf(what, sizeof(what), "%s for the SAE %s", call.method, call.peer);
        if (!call014_refused(run, report, what, &call, 400, NULL)) {
            if (check014_of(run)->last_code != 200)
                check_deviation(report, 24);
            return;
        }
    }
}

/* The largest request there is. False when the store may well hold that much. */
static bool largest_request(struct check_run *run, const struct etsi014_status *now,
                            char query[static 64])
{
    const int64_t number = (int64_t)number014(run, ETSI014_KEYS_MAX);
    const int64_t size_bits = now->max_key_size_bits / 8 * 8;

    snprintf(query, 64, "?number=%" PRId64 "&size=%" PRId64, number, size_bits);
    return number * size_bits > now->stored_key_count * now->key_size_bits * 5 / 4;
}

static bool expect_depletion(struct check_report *report, const struct answer *answer)
{
    const char what[] = "more keys than are stored";

    if (answer->code == 200) {
        check_deviation(report, 16);
        return check_fail(report, "%s: expected 503 and nothing, came 200 with %zu octets", what,
                          answer->body.length);
    }
    if (answer->code != 503)
        check_deviation(report, 15);
    return expect_code(report, what, answer, 503) && expect_error(report, what, answer, NULL) &&
           (answer_field_is(answer, "Retry-After", "") ||
            check_fail(report, "%s: expected the field Retry-After, came none", what));
}

/* Asks for all there is until there is no more. */
static bool drain(struct check_run *run, struct check_report *report, const struct call014 *call,
                  size_t number, struct answer *answer)
{
    enum { REQUESTS_MAX = 4096 };
    struct etsi014_container container;
    struct status status = STATUS_INIT;
    bool whole = true;

    for (int i = 0; i < REQUESTS_MAX; i++) {
        if (!call014(run, report, call, answer))
            return false;
        if (answer->code != 200)
            return true;
        whole = etsi014_container_parse((char *)answer->body.data, answer->body.length, &container,
                                        &status) &&
                container.count == number && seen014(run, report, &container);
        etsi014_container_free(&container);
        if (!whole)
            return true;
        answer_free(answer);
        answer_init(answer);
    }
    return check_skip(report, "%d requests did not empty the store", REQUESTS_MAX);
}

void check_s14_24(struct check_run *run, struct check_report *report)
{
    char query[64];
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys", .query = query};
    struct etsi014_status before, after;
    struct answer answer;
    struct keys014 keys;
    bool certain, asked;

    if (!status014_get(run, report, &before))
        return;
    certain = largest_request(run, &before, query);
    if (!certain && !run->choices.deplete) {
        check_skip(report, "the store holds more than the largest request: only with --deplete");
        return;
    }
    asked = certain ? call014(run, report, &call, &answer)
                    : drain(run, report, &call, number014(run, ETSI014_KEYS_MAX), &answer);
    if (asked && expect_depletion(report, &answer) && status014_get(run, report, &after) &&
        certain && after.stored_key_count < before.stored_key_count)
        check_fail(report,
                   "expected that it costs no key, came stored_key_count %" PRId64
                   " after %" PRId64,
                   after.stored_key_count, before.stored_key_count);
    answer_free(&answer);
    if (report->result != CHECK_PASSED)
        return;
    reserve014(run, report, NULL, 1, size014(run, 256), &keys);
    keys014_free(&keys);
}
