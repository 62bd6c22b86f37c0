/* SPDX-License-Identifier: Apache-2.0 */
/* dec_keys: what is delivered, and what a malformed claim gets. */
#include <stdio.h>
#include <string.h>

#include "ctl/check014.h"

enum { KEY_BITS = 256 };

static bool reserve(struct check_run *run, struct check_report *report, size_t number,
                    struct keys014 *keys)
{
    return reserve014(run, report, NULL, number014(run, number), size014(run, KEY_BITS), keys);
}

static bool same_order(const struct ids014 *ids, const struct keys014 *claimed)
{
    for (size_t i = 0; i < ids->count; i++)
        if (!key_id_equal(&ids->ids[i], &claimed->container.keys[i].id))
            return false;
    return true;
}

/* Last first. */
static void turn_round(struct etsi014_container *container)
{
    for (size_t i = 0; i < container->count / 2; i++) {
        struct etsi014_key key = container->keys[i];

        container->keys[i] = container->keys[container->count - 1 - i];
        container->keys[container->count - 1 - i] = key;
    }
}

void check_s14_26(struct check_run *run, struct check_report *report)
{
    struct keys014 keys, claimed;
    struct ids014 ids;

    if (reserve(run, report, 5, &keys)) {
        turn_round(&keys.container);
        ids = ids014_of(&keys);
        if (claim014(run, report, CHECK_RESPONDER, &keys, &claimed) &&
            !same_order(&ids, &claimed)) {
            check_deviation(report, 22);
            check_advise(run, report, "expected the keys in the order asked, came another");
        }
        keys014_free(&claimed);
    }
    keys014_free(&keys);
}

void check_s14_27(struct check_run *run, struct check_report *report)
{
    static const char *const bad[] = {"", "?", "?key_ID="};
    char id[KEY_ID_TEXT_CHARS + 1], query[64];
    struct call014 call = {.end = CHECK_RESPONDER, .method = "dec_keys"};
    struct keys014 keys, claimed;
    bool ok = true;

    for (size_t i = 0; ok && i < sizeof(bad) / sizeof(bad[0]); i++) {
        call.query = bad[i];
        ok = call014_refused(run, report, "no key_ID", &call, 400, NULL);
    }
    if (ok && reserve(run, report, 1, &keys)) {
        key_id_format(&keys.container.keys[0].id, id);
        snprintf(query, sizeof(query), "?key_ID=%s", id);
        call.query = query;
        if (keys014_get(run, report, "GET with key_ID", &call, 1, 0, &claimed) &&
            !secret_equal(claimed.container.keys[0].key, keys.container.keys[0].key))
            check_fail(report, "expected the same octets at both ends, came others");
        keys014_free(&claimed);
    }
    if (ok)
        keys014_free(&keys);
}

void check_s14_30(struct check_run *run, struct check_report *report)
{
    struct keys014 keys;
    struct ids014 ids;

    if (reserve(run, report, 2, &keys)) {
        ids = ids014_of(&keys);
        ids014_add_unknown(&ids);
        if (claim014_refused(run, report, "a batch with an unknown ID", CHECK_RESPONDER, NULL, &ids,
                             400, etsi014_keys_not_found))
            claim014_all(run, report, CHECK_RESPONDER, &keys);
    }
    keys014_free(&keys);
}

void check_s14_31(struct check_run *run, struct check_report *report)
{
    struct keys014 keys;
    struct ids014 ids;

    if (reserve(run, report, 1, &keys) && claim014_all(run, report, CHECK_RESPONDER, &keys)) {
        ids = ids014_of(&keys);
        claim014_refused(run, report, "a second claim", CHECK_RESPONDER, NULL, &ids, 400,
                         etsi014_keys_not_found);
    }
    keys014_free(&keys);
}

enum { CLAIMANTS = 4 };

/* Sends one request on each connection before any answer is read. */
static bool claim_at_once(struct check_run *run, struct https *ends, const struct buf *request,
                          int codes[static CLAIMANTS], struct status *status)
{
    struct deadline deadline = deadline_in_ms(run->choices.timeout_ms);

    for (int i = 0; i < CLAIMANTS; i++)
        if (!https_open(&ends[i], &deadline, status))
            return false;
    for (int i = 0; i < CLAIMANTS; i++)
        if (!https_send(&ends[i], request->data, request->length, &deadline, status))
            return false;
    for (int i = 0; i < CLAIMANTS; i++) {
        struct answer answer;
        bool ok;

        answer_init(&answer);
        ok = https_receive(&ends[i], &answer, &deadline, status);
        codes[i] = answer.code;
        answer_free(&answer);
        if (!ok)
            return false;
    }
    return true;
}

static void race_for(struct check_run *run, struct check_report *report, const char *body)
{
    const struct call014 call = {.end = CHECK_RESPONDER, .method = "dec_keys"};
    char path[CHECK014_PATH_BYTES];
    const struct ask ask = {.path = path, .body = body, .length = strlen(body)};
    struct https ends[CLAIMANTS];
    struct status status = STATUS_INIT;
    int codes[CLAIMANTS], delivered = 0;
    struct buf request;
    bool ok;

    for (int i = 0; i < CLAIMANTS; i++)
        https_init(&ends[i], check014_of(run)->ends[CHECK_RESPONDER].endpoint);
    buf_init(&request, CHECK014_BODY_BYTES);
    call014_path(run, &call, path);
    https_put(&request, &ends[0], &ask);
    ok = claim_at_once(run, ends, &request, codes, &status);
    for (int i = 0; i < CLAIMANTS; i++) {
        https_close(&ends[i]);
        if (ok && codes[i] == 200)
            delivered++;
        else if (ok && codes[i] != 400)
            check_fail(report, "expected 200 once and 400 else, came %d", codes[i]);
    }
    buf_free(&request);
    if (!ok)
        check_broke(report, &status);
    else if (delivered != 1)
        check_fail(report, "expected the key once for %d claims at the same time, came %d times",
                   CLAIMANTS, delivered);
}

void check_s14_32(struct check_run *run, struct check_report *report)
{
    struct keys014 keys;
    struct ids014 ids;
    struct buf body;

    for (int round = 0; round < 3 && report->result == CHECK_PASSED; round++) {
        if (reserve(run, report, 1, &keys)) {
            ids = ids014_of(&keys);
            race_for(run, report, ids014_body(&ids, &body));
            buf_free(&body);
        }
        keys014_free(&keys);
    }
}
