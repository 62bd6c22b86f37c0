/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of a key: caches, logs, crashes; and how soon the other end has it. */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "ctl/check014.h"
#include "ctl/file.h"

enum { KEY_BITS = 256, LOG_MAX_BYTES = 67108864 };

static bool expect_no_store(struct check_report *report, const char *what,
                            const struct answer *answer)
{
    return answer_field_is(answer, "Cache-Control", "no-store") ||
           check_fail(report, "%s: expected Cache-Control: no-store, came another or none", what);
}

static bool no_store(struct check_run *run, struct check_report *report, const char *what,
                     const struct call014 *call)
{
    struct answer answer;
    bool ok = call014(run, report, call, &answer) && expect_no_store(report, what, &answer);

    answer_free(&answer);
    return ok;
}

static void put_hex(struct buf *text, const struct secret *key)
{
    for (size_t i = 0; i < key->size_bytes; i++)
        buf_put_format(text, "%02x", key->bytes[i]);
}

static bool log_holds(const struct buf *log, const struct buf *needle)
{
    return log->length > 0 && memmem(log->data, log->length, needle->data, needle->length) != NULL;
}

/* Whether a key stands in a log as it is, in base64 or in hexadecimal. */
static bool is_logged(const struct buf *log, const struct secret *key)
{
    struct buf raw, base64, hex;
    bool found;

    buf_init(&raw, SECRET_MAX_BYTES);
    buf_init(&base64, base64_chars(SECRET_MAX_BYTES));
    buf_init(&hex, 2 * SECRET_MAX_BYTES);
    buf_put(&raw, key->bytes, key->size_bytes);
    base64_put(&base64, key->bytes, key->size_bytes);
    put_hex(&hex, key);
    found = log_holds(log, &raw) || log_holds(log, &base64) || log_holds(log, &hex);
    buf_free(&raw);
    buf_free(&base64);
    buf_free(&hex);
    return found;
}

static void search_logs(struct check_run *run, struct check_report *report,
                        const struct keys014 *keys)
{
    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++) {
        struct status status = STATUS_INIT;
        char path[PATH_MAX];
        struct buf log;

        buf_init(&log, LOG_MAX_BYTES);
        if (!lab_path(run->lab, path, &status, "%s.log", lab_kme_name(kme)) ||
            !file_read(path, 0, &log, &status))
            check_broke(report, &status);
        for (size_t i = 0; i < keys->container.count; i++)
            if (is_logged(&log, keys->container.keys[i].key))
                check_fail(report, "expected no key in %s.log, came one", lab_kme_name(kme));
        buf_free(&log);
    }
}

void check_s14_45(struct check_run *run, struct check_report *report)
{
    const struct call014 bad = {
        .end = CHECK_INITIATOR, .method = "enc_keys", .query = "?number=-1"};
    const struct call014 status_call = {.end = CHECK_INITIATOR, .method = "status"};
    struct keys014 keys, claimed;

    if (no_store(run, report, "status", &status_call) && no_store(run, report, "400", &bad) &&
        reserve014(run, report, NULL, number014(run, 4), size014(run, KEY_BITS), &keys)) {
        expect_no_store(report, "enc_keys", &keys.answer);
        if (claim014(run, report, CHECK_RESPONDER, &keys, &claimed)) {
            expect_no_store(report, "dec_keys", &claimed.answer);
            if (run->lab != NULL)
                search_logs(run, report, &keys);
            else
                check_note(report, "logs were not looked at: that needs a laboratory (--lab)");
        }
        keys014_free(&claimed);
        keys014_free(&keys);
    }
}

/* Ends the key server of an end without a chance to clean up, and starts it again. */
static bool crash(struct check_run *run, struct check_report *report, enum check_end end)
{
    struct status status = STATUS_INIT;

    for (enum check_end i = 0; i < CHECK_END_COUNT; i++)
        https_close(&check014_of(run)->ends[i]);
    return (lab_kme_kill(run->lab, run->lab_kmes[end], &status) &&
            lab_kme_start(run->lab, run->lab_kmes[end], &status) &&
            lab_wait_for_keys(run->lab, &status)) ||
           check_broke(report, &status);
}

static bool has_old_octets(const struct keys014 *old, const struct keys014 *new)
{
    for (size_t i = 0; i < old->container.count; i++)
        for (size_t j = 0; j < new->container.count; j++)
            if (secret_equal(old->container.keys[i].key, new->container.keys[j].key))
                return true;
    return false;
}

static void judge_crashes(struct check_run *run, struct check_report *report,
                          const struct keys014 *delivered)
{
    const struct ids014 ids = ids014_of(delivered);
    struct keys014 more;

    if (!crash(run, report, CHECK_RESPONDER) ||
        !claim014_refused(run, report, "a claim again after a crash of the responder's key server",
                          CHECK_RESPONDER, NULL, &ids, 400, NULL) ||
        !crash(run, report, CHECK_INITIATOR))
        return;
    claim014_refused(run, report, "a claim again after a crash of the initiator's key server",
                     CHECK_RESPONDER, NULL, &ids, 400, NULL);
    if (reserve014(run, report, NULL, number014(run, 32), size014(run, KEY_BITS), &more) &&
        has_old_octets(delivered, &more))
        check_fail(report, "expected new keys after a crash, came octets that were delivered");
    keys014_free(&more);
}

void check_s14_46(struct check_run *run, struct check_report *report)
{
    struct keys014 keys;

    if (reserve014(run, report, NULL, number014(run, 8), size014(run, KEY_BITS), &keys) &&
        claim014_all(run, report, CHECK_RESPONDER, &keys))
        judge_crashes(run, report, &keys);
    keys014_free(&keys);
}

/* At once: without the patience that other checks have. */
static bool claim_now(struct check_run *run, struct check_report *report,
                      const struct keys014 *keys)
{
    struct call014 call = {.end = CHECK_RESPONDER, .method = "dec_keys"};
    const struct ids014 ids = ids014_of(keys);
    struct answer answer;
    struct buf body;
    bool ok;

    call.body = ids014_body(&ids, &body);
    ok = call014(run, report, &call, &answer) &&
         expect_code(report, "a claim as soon as the initiator has the key", &answer, 200);
    answer_free(&answer);
    buf_free(&body);
    return ok;
}

void check_s14_47(struct check_run *run, struct check_report *report)
{
    enum { ROUNDS = 5 };
    struct ids014 unknown = {.count = 0};
    struct keys014 keys;

    for (int i = 0; i < ROUNDS && report->result == CHECK_PASSED; i++) {
        if (reserve014(run, report, NULL, 1, size014(run, KEY_BITS), &keys) &&
            !claim_now(run, report, &keys) &&
            (check014_of(run)->last_code == 400 || check014_of(run)->last_code == 404))
            check_deviation(report, 31);
        keys014_free(&keys);
    }
    ids014_add_unknown(&unknown);
    claim014_refused(run, report, "an ID that no key has", CHECK_RESPONDER, NULL, &unknown, 400,
                     etsi014_keys_not_found);
}
