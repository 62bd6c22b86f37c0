/* SPDX-License-Identifier: Apache-2.0 */
/* dec_keys: forms of a claim, and claims by those who have no right to a key. */
#include <stdio.h>
#include <string.h>

#include "ctl/check014.h"

enum { KEY_BITS = 256 };

/* Appends the template with @ replaced by the ID, ~ by the ID without its last character, and #
 * by the ID without hyphens. */
static void put_form(struct buf *text, const char *form, const char *id)
{
    for (; *form != '\0'; form++) {
        if (*form == '@')
            buf_put_text(text, id);
        else if (*form == '~')
            buf_put(text, id, strlen(id) - 1);
        else if (*form != '#')
            buf_put_u8(text, (uint8_t)*form);
        else
            for (const char *at = id; *at != '\0'; at++)
                if (*at != '-')
                    buf_put_u8(text, (uint8_t)*at);
    }
}

/* Whether POST dec_keys with such a body gets 400. */
static bool refuse_form(struct check_run *run, struct check_report *report, const char *form,
                        const char *id)
{
    struct call014 call = {.end = CHECK_RESPONDER, .method = "dec_keys"};
    struct buf body;
    bool ok;

    buf_init(&body, CHECK014_BODY_BYTES);
    put_form(&body, form, id);
    buf_put_u8(&body, '\0');
    call.body = (const char *)body.data;
    ok = call014_refused(run, report, call.body, &call, 400, NULL);
    buf_free(&body);
    return ok;
}

/* Reserves a key, has each of the forms refused, and claims the key. */
static void refuse_forms(struct check_run *run, struct check_report *report,
                         const char *const *forms, size_t count, unsigned deviation)
{
    const int *code = &check014_of(run)->last_code;
    char id[KEY_ID_TEXT_CHARS + 1];
    struct keys014 keys;
    bool ok = reserve014(run, report, NULL, 1, size014(run, KEY_BITS), &keys);

    if (ok) {
        key_id_format(&keys.container.keys[0].id, id);
        for (size_t i = 0; ok && i < count; i++)
            ok = refuse_form(run, report, forms[i], id);
        if (!ok && deviation != 0 && (*code == 200 || *code == 422))
            check_deviation(report, deviation);
        if (ok)
            claim014_all(run, report, CHECK_RESPONDER, &keys);
    }
    keys014_free(&keys);
}

static void upper_case_matches(struct check_run *run, struct check_report *report)
{
    char id[KEY_ID_TEXT_CHARS + 1], query[64];
    const struct call014 call = {.end = CHECK_RESPONDER, .method = "dec_keys", .query = query};
    struct check_report inner = {.result = CHECK_PASSED};
    struct keys014 keys, claimed;

    if (reserve014(run, report, NULL, 1, size014(run, KEY_BITS), &keys)) {
        key_id_format(&keys.container.keys[0].id, id);
        for (char *at = id; *at != '\0'; at++)
            if (*at >= 'a' && *at <= 'f')
                *at = (char)(*at - 'a' + 'A');
        snprintf(query, sizeof(query), "?key_ID=%s", id);
        if (!keys014_get(run, &inner, "an ID in upper case", &call, 1, 0, &claimed))
            check_advise(run, report, "%s", inner.text.text);
        keys014_free(&claimed);
    }
    keys014_free(&keys);
}

void check_s14_34(struct check_run *run, struct check_report *report)
{
    static const char *const forms[] = {
        "{\"key_IDs\":[{\"key_ID\":\"~\"}]}",  "{\"key_IDs\":[{\"key_ID\":\"@0\"}]}",
        "{\"key_IDs\":[{\"key_ID\":\"#\"}]}",  "{\"key_IDs\":[{\"key_ID\":\"{@}\"}]}",
        "{\"key_IDs\":[{\"key_ID\":\"g@\"}]}", "{\"key_IDs\":[{\"key_ID\":\"urn:uuid:@\"}]}",
        "{\"key_IDs\":[{\"key_ID\":\" ~\"}]}",
    };

    refuse_forms(run, report, forms, sizeof(forms) / sizeof(forms[0]), 0);
    if (report->result == CHECK_PASSED)
        upper_case_matches(run, report);
}

void check_s14_35(struct check_run *run, struct check_report *report)
{
    static const char *const forms[] = {
        "{\"key_IDs\":[{\"key_ID\":\"@\"},{\"key_ID\":\"@\"}]}",
    };

    refuse_forms(run, report, forms, sizeof(forms) / sizeof(forms[0]), 23);
}

void check_s14_37(struct check_run *run, struct check_report *report)
{
    static const char *const forms[] = {
        "{\"key_IDs\":[\"@\"]}", "{\"key_IDs\":\"@\"}",
        "{\"key_IDs\":[]}",      "{}",
        "{\"key_IDs\":[{}]}",    "{\"key_IDs\":[{\"key_ID\":7}]}",
    };

    refuse_forms(run, report, forms, sizeof(forms) / sizeof(forms[0]), 6);
}

/* All keys that one claim may ask for, and one more. */
void check_s14_36(struct check_run *run, struct check_report *report)
{
    const int64_t max = check014_of(run)->limits.max_key_per_request;
    const int64_t size_bits = size014(run, check014_of(run)->limits.min_key_size_bits);
    struct keys014 keys, more;
    struct ids014 ids;

    if (max < 1 || max > ETSI014_KEYS_MAX) {
        check_skip(report, "max_key_per_request is %lld; 1 to %d are tried here", (long long)max,
                   ETSI014_KEYS_MAX);
        return;
    }
    if (reserve014(run, report, NULL, (size_t)max, size_bits, &keys)) {
        ids = ids014_of(&keys);
        if (reserve014(run, report, NULL, 1, size_bits, &more)) {
            ids.ids[ids.count++] = more.container.keys[0].id;
            if (claim014_refused(run, report, "one ID more than max_key_per_request",
                                 CHECK_RESPONDER, NULL, &ids, 400, NULL) &&
                claim014_all(run, report, CHECK_RESPONDER, &keys))
                claim014_all(run, report, CHECK_RESPONDER, &more);
        }
        keys014_free(&more);
    }
    keys014_free(&keys);
}

/* The stranger's SAE ID as a path segment. */
static const char *stranger_segment(const struct check_run *run, char text[CHECK014_PATH_BYTES])
{
    const char *sae = check_sae(run, CHECK_STRANGER);
    struct buf segment;

    buf_init(&segment, CHECK014_PATH_BYTES - 1);
    put_segment014(&segment, sae != NULL ? sae : "", false);
    snprintf(text, CHECK014_PATH_BYTES, "%.*s", (int)segment.length,
             segment.data != NULL ? (const char *)segment.data : "");
    buf_free(&segment);
    return text;
}

void check_s14_28(struct check_run *run, struct check_report *report)
{
    struct keys014 keys;
    struct ids014 ids;

    if (reserve014(run, report, NULL, 1, size014(run, KEY_BITS), &keys)) {
        ids = ids014_of(&keys);
        claim014_refused(run, report, "a claim by the initiator", CHECK_INITIATOR, NULL, &ids, 401,
                         NULL);
        if (check_sae(run, CHECK_STRANGER) != NULL)
            claim014_refused(run, report, "a claim by the stranger", CHECK_STRANGER, NULL, &ids,
                             401, NULL);
        claim014_all(run, report, CHECK_RESPONDER, &keys);
    }
    keys014_free(&keys);
}

static void judge_mixed_batch(struct check_run *run, struct check_report *report,
                              const struct keys014 *own, const struct keys014 *foreign)
{
    struct ids014 ids = ids014_of(own), unknown = {.count = 1};

    ids.ids[ids.count++] = foreign->container.keys[0].id;
    unknown.ids[0] = foreign->container.keys[0].id;
    ids014_add_unknown(&unknown);
    if (claim014_refused(run, report, "a batch with another SAE's key", CHECK_RESPONDER, NULL, &ids,
                         401, NULL) &&
        claim014_refused(run, report, "another SAE's key and an unknown ID", CHECK_RESPONDER, NULL,
                         &unknown, 401, NULL) &&
        claim014_all(run, report, CHECK_RESPONDER, own))
        claim014_all(run, report, CHECK_STRANGER, foreign);
}

void check_s14_29(struct check_run *run, struct check_report *report)
{
    char segment[CHECK014_PATH_BYTES];
    struct keys014 own, foreign;

    if (reserve014(run, report, NULL, 1, size014(run, KEY_BITS), &own)) {
        if (reserve014(run, report, stranger_segment(run, segment), 1, size014(run, KEY_BITS),
                       &foreign))
            judge_mixed_batch(run, report, &own, &foreign);
        keys014_free(&foreign);
    }
    keys014_free(&own);
}

/* Whether a claim under another master's name gets nothing: not found, or 401. */
static bool refuse_master(struct check_run *run, struct check_report *report, const char *master,
                          const char *body)
{
    const struct call014 call = {
        .end = CHECK_RESPONDER, .method = "dec_keys", .peer = master, .body = body};
    struct answer answer;
    bool ok = call014(run, report, &call, &answer);

    if (ok && answer_has_keys(&answer))
        ok = check_fail(report, "under the master %s: expected a refusal, came keys with %d",
                        master, answer.code);
    else if (ok && answer.code != 401)
        ok = expect_code(report, "under another master", &answer, 400);
    answer_free(&answer);
    return ok;
}

void check_s14_33(struct check_run *run, struct check_report *report)
{
    char segment[CHECK014_PATH_BYTES];
    struct keys014 keys;
    struct ids014 ids;
    struct buf text;
    const char *body;

    if (reserve014(run, report, NULL, 1, size014(run, KEY_BITS), &keys)) {
        ids = ids014_of(&keys);
        body = ids014_body(&ids, &text);
        refuse_master(run, report, "qkdctl-nobody", body);
        if (check_sae(run, CHECK_STRANGER) != NULL)
            refuse_master(run, report, stranger_segment(run, segment), body);
        buf_free(&text);
        claim014_all(run, report, CHECK_RESPONDER, &keys);
    }
    keys014_free(&keys);
}

/* Each of the two slaves gets the key once. */
static void share_key(struct check_run *run, struct check_report *report,
                      const struct keys014 *keys)
{
    static const enum check_end slaves[] = {CHECK_RESPONDER, CHECK_STRANGER};
    const struct ids014 ids = ids014_of(keys);

    for (size_t i = 0; i < 2; i++)
        if (!claim014_all(run, report, slaves[i], keys))
            return;
    for (size_t i = 0; i < 2; i++) {
        struct call014 call = {.end = slaves[i], .method = "dec_keys"};
        struct answer answer;
        struct buf body;

        call.body = ids014_body(&ids, &body);
        if (call014(run, report, &call, &answer) && answer.code < 400)
            check_fail(report, "a second claim by the %s: expected a refusal, came %s",
                       check_end_text(slaves[i]), answer_text(&answer).text);
        answer_free(&answer);
        buf_free(&body);
    }
}

void check_s14_38(struct check_run *run, struct check_report *report)
{
    char body[CHECK014_PATH_BYTES];
    const struct call014 call = {.end = CHECK_INITIATOR, .method = "enc_keys", .body = body};
    const char *third = check_sae(run, CHECK_STRANGER);
    struct keys014 keys;

    if (check014_of(run)->limits.max_sae_id_count < 1) {
        check_skip(report, "max_SAE_ID_count is 0: the key server has no multicast");
        return;
    }
    if (strpbrk(third, "\"\\") != NULL) {
        check_skip(report, "the stranger's SAE ID does not fit into JSON as it is");
        return;
    }
    snprintf(body, sizeof(body), "{\"additional_slave_SAE_IDs\": [\"%s\"]}", third);
    if (keys014_get(run, report, "a key for two slaves", &call, 1, 0, &keys))
        share_key(run, report, &keys);
    keys014_free(&keys);
}
