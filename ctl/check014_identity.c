/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect, and as whom. */
#include <stdio.h>
#include <string.h>

#include <openssl/ssl.h>

#include "ctl/check014.h"
#include "ctl/check_cert.h"
#include "ctl/check_tls.h"

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S };

/* A request for a key as an end would make it, on a connection of its own. */
static void put_request(const struct check_run *run, enum check_end end, const char *method,
                        char request[static CHECK014_PATH_BYTES + 512])
{
    const struct call014 call = {.end = end, .method = method};
    char path[CHECK014_PATH_BYTES];

    call014_path(run, &call, path);
    snprintf(request, CHECK014_PATH_BYTES + 512,
             "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
             endpoint_address(check014_of(run)->ends[end].endpoint)->host);
}

/* Tries; false: it could not be tried, and the check has failed. */
static bool try_as(struct check_run *run, struct check_report *report, const char *what,
                   enum check_end end, const struct identity014 *identity, int max_version,
                   struct tls_outcome *outcome)
{
    struct deadline deadline = deadline_in_ms(run->choices.timeout_ms);
    struct status status = STATUS_INIT;
    char request[CHECK014_PATH_BYTES + 512];
    struct tls_try attempt = {
        .address = endpoint_address(check014_of(run)->ends[end].endpoint),
        .max_version = max_version,
        .cert = identity != NULL ? identity->cert : NULL,
        .key = identity != NULL ? identity->key : NULL,
        .request = request,
    };

    put_request(run, end, "status", request);
    attempt.request_bytes = strlen(request);
    tls_try(&attempt, &deadline, outcome, &status);
    if (outcome->verdict == TLS_UNCLEAR && status.outcome == OUTCOME_INTERNAL)
        return check_skip(report, "%s: %s", what, status.text);
    return outcome->verdict != TLS_UNCLEAR || check_fail(report, "%s: %s", what, status.text);
}

/* Whether an end with such a certificate is refused, by TLS or by HTTP. */
static bool expect_no_entry(struct check_run *run, struct check_report *report, const char *what,
                            enum check_end end, const struct identity014 *identity)
{
    struct tls_outcome outcome;

    if (!try_as(run, report, what, end, identity, 0, &outcome))
        return false;
    if (outcome.verdict == TLS_REFUSED)
        return true;
    if (outcome.code < 400)
        return check_fail(report, "%s: expected a refusal, came %s", what, outcome.text);
    return outcome.code == 401 ||
           check_advise(run, report, "%s: expected a refusal by TLS, or 401, came %s", what,
                        outcome.text);
}

void check_s14_01(struct check_run *run, struct check_report *report)
{
    struct status status = STATUS_INIT;
    struct identity014 own;
    struct tls_outcome outcome;

    if (!identity014_read(run->values[CHECK_INITIATOR][SETTING_CERT],
                          run->values[CHECK_INITIATOR][SETTING_KEY], &own, &status)) {
        check_broke(report, &status);
        return;
    }
    if (try_as(run, report, "TLS 1.1", CHECK_INITIATOR, &own, TLS1_1_VERSION, &outcome) &&
        outcome.verdict == TLS_ANSWERED)
        check_fail(report, "TLS 1.1: expected no handshake, came %s", outcome.text);
    if (try_as(run, report, "TLS 1.2 or newer", CHECK_INITIATOR, &own, 0, &outcome) &&
        (outcome.verdict != TLS_ANSWERED || outcome.code != 200))
        check_fail(report, "TLS 1.2 or newer: expected an answer, came %s", outcome.text);
    identity014_free(&own);
}

/* Makes a certificate and expects it to be refused. */
static bool refuse_made(struct check_run *run, struct check_report *report, const char *what,
                        enum check_end end, const struct cert_wish *wish)
{
    struct status status = STATUS_INIT;
    struct identity014 made;
    bool ok;

    if (!identity014_make(wish, &made, &status))
        return check_broke(report, &status);
    ok = expect_no_entry(run, report, what, end, &made);
    identity014_free(&made);
    return ok;
}

/* The authority of a laboratory. */
static bool read_authority(const struct check_run *run, struct identity014 *authority,
                           struct status *status)
{
    char cert[PATH_MAX], key[PATH_MAX];

    return lab_path(run->lab, cert, status, "pki/ca.pem") &&
           lab_path(run->lab, key, status, "pki/ca.key") &&
           identity014_read(cert, key, authority, status);
}

/* What only the authority that the key server trusts can make. */
static void refuse_certified(struct check_run *run, struct check_report *report, const X509 *own)
{
    struct status status = STATUS_INIT;
    struct identity014 authority;
    struct cert_wish wish = {.like = own, .purpose = "clientAuth", .issuer = &authority};

    if (!read_authority(run, &authority, &status)) {
        check_broke(report, &status);
        return;
    }
    wish.from_s = -2 * DAY_S;
    wish.until_s = -DAY_S;
    refuse_made(run, report, "an expired certificate", CHECK_INITIATOR, &wish);
    wish.from_s = -HOUR_S;
    wish.until_s = DAY_S;
    wish.purpose = "serverAuth";
    refuse_made(run, report, "a certificate for servers", CHECK_INITIATOR, &wish);
    identity014_free(&authority);
}

void check_s14_02(struct check_run *run, struct check_report *report)
{
    struct status status = STATUS_INIT;
    struct identity014 own;
    struct cert_wish wish = {.purpose = "clientAuth", .from_s = -HOUR_S, .until_s = DAY_S};

    if (!identity014_read(run->values[CHECK_INITIATOR][SETTING_CERT],
                          run->values[CHECK_INITIATOR][SETTING_KEY], &own, &status)) {
        check_broke(report, &status);
        return;
    }
    wish.like = own.cert;
    expect_no_entry(run, report, "no certificate", CHECK_INITIATOR, NULL);
    refuse_made(run, report, "a certificate that signs itself", CHECK_INITIATOR, &wish);
    if (run->lab != NULL)
        refuse_certified(run, report, own.cert);
    else if (report->result == CHECK_PASSED)
        check_note(report, "expired ones and ones for servers only need a laboratory (--lab)");
    identity014_free(&own);
}

void check_s14_04(struct check_run *run, struct check_report *report)
{
    const char *responder = check_sae(run, CHECK_RESPONDER);
    const char *third = check_sae(run, CHECK_STRANGER);
    struct status status = STATUS_INIT;
    struct identity014 authority;
    struct cert_wish wish = {
        .purpose = "clientAuth", .from_s = -HOUR_S, .until_s = DAY_S, .issuer = &authority};

    if (!read_authority(run, &authority, &status)) {
        check_broke(report, &status);
        return;
    }
    wish.names[0] = "qkdctl-nobody";
    refuse_made(run, report, "a certificate of an unknown SAE", CHECK_INITIATOR, &wish);
    wish.names[0] = NULL;
    refuse_made(run, report, "a certificate without a name", CHECK_INITIATOR, &wish);
    if (third != NULL) {
        wish.names[0] = responder;
        wish.names[1] = third;
        refuse_made(run, report, "a certificate of two SAEs", CHECK_RESPONDER, &wish);
    }
    identity014_free(&authority);
}
