/* SPDX-License-Identifier: Apache-2.0 */
/* What the key server says about us and the peer. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/check_http.h"
#include "ctl/doctor_net.h"
#include "ctl/stream004.h"
#include "keys/source.h"

enum { STEP_LIMIT_MS = 5000, PROBE_TTL_S = 60, CLOCK_TOLERANCE_S = 30, CODE_OK = 200 };

/* HTTP codes other than 200; the first that fits. */
static const struct {
    int code; /* 0: any */
    const char *text;
    const char *cure;
} refusals[] = {
    {401, "does not know our certificate as that of an SAE",
     "ask the key server's operator to make the name in our certificate an SAE there, or let cert "
     "and key name the identity of one"},
    {403, "does not let us have keys with this peer",
     "ask the key server's operator to allow keys between these two SAEs"},
    {404, "does not know this resource",
     "write the host and port of a key server of ETSI GS QKD 014 into the line kme; if it is one, "
     "write the SAE ID that it knows the other end by into the line peer"},
    {400, "refuses the question",
     "write the SAE ID that the key server knows the other end by into the line peer"},
    {503, "cannot deliver at the moment", "see to the key server and its link to the peer's"},
    {0, "answers with an error", "look into the key server's log"},
};

static void say_refusal(struct doctor *doctor, const struct answer *answer)
{
    char message[ETSI014_MESSAGE_MAX_CHARS + 1] = "";
    size_t i = 0;

    etsi014_refusal_classify(ETSI014_GET_STATUS, answer->code, answer->body.data,
                             answer->body.length, message);
    while (refusals[i].code != answer->code && refusals[i].code != 0)
        i++;
    doctor_wrong(doctor, refusals[i].cure,
                 "the key server %s: asked for the status of keys between '%s' and '%s' it "
                 "answered HTTP %d%s%s",
                 refusals[i].text, settings_sae(doctor->settings), settings_peer(doctor->settings),
                 answer->code, message[0] != '\0' ? ", " : " without a message", message);
}

static bool ask014(struct doctor *doctor, struct answer *answer, struct status *status)
{
    struct deadline deadline = deadline_in_ms(STEP_LIMIT_MS);
    struct https https;
    struct buf path;
    bool ok;

    https_init(&https, doctor_kme_endpoint(doctor));
    buf_init(&path, ETSI014_PATH_MAX_CHARS + 1);
    etsi014_put_path(&path, settings_peer(doctor->settings), ETSI014_GET_STATUS);
    buf_put_u8(&path, 0);
    ok = !path.failed && https_call(&https, &(struct ask){.path = (const char *)path.data}, answer,
                                    &deadline, status);
    buf_free(&path);
    https_close(&https);
    return ok;
}

static void answer014(struct doctor *doctor)
{
    struct status status = STATUS_INIT;
    struct answer answer;

    answer_init(&answer);
    if (!ask014(doctor, &answer, &status)) {
        if (!doctor_tls_failure(doctor, &status))
            doctor_wrong(doctor,
                         "write the URL of a key server of ETSI GS QKD 014 into the line kme; if "
                         "that is a port of ETSI 004, begin it with etsi004://",
                         "the key server does not answer as ETSI GS QKD 014 has it: %s",
                         status.text);
    } else if (answer.code != CODE_OK) {
        say_refusal(doctor, &answer);
    } else if (!etsi014_status_parse(answer.body.data, answer.body.length, &doctor->kme.status,
                                     &status)) {
        doctor_wrong(doctor, "write the URL of a key server of ETSI GS QKD 014 into the line kme",
                     "the answer is not a status of ETSI GS QKD 014: %s", status.text);
    } else {
        doctor_ok(doctor, "%s answers as ETSI GS QKD 014 has it", doctor_kme_url(doctor));
    }
    if (!answer_field(&answer, "Date", doctor->kme.date, sizeof(doctor->kme.date)))
        doctor->kme.date[0] = '\0';
    answer_free(&answer);
}

/* What to do when OPEN_CONNECT is answered with this status; NULL: as when no sense came. */
static const char *const open_cures[ETSI004_OUTCOME_COUNT] = {
    [ETSI004_INSUFFICIENT_KEY] =
        "wait until the key servers have made keys, and see to the link between them",
    [ETSI004_NO_QKD_CONNECTION] =
        "write into the lines sae and peer (or source-uri and destination-uri) how the key server "
        "knows both ends; if they are right, see to its link to the peer's key server",
    [ETSI004_IN_USE] = "try again; if it stays so, look into the key server's log",
    [ETSI004_TIMEOUT] =
        "see to the peer's key server and the link to it, or give more time with timeout-ms",
    [ETSI004_QOS_NOT_MET] = "ask the key server's operator to allow streams of keys of 256 bits; a "
                            "key server that opens streams with this status speaks "
                            "etsi004-dialect = qubip",
    [ETSI004_METADATA_TOO_SMALL] = "a key server that insists on metadata may need "
                                   "etsi004-dialect = qubip",
};

static void say_failure004(struct doctor *doctor, enum etsi004_outcome outcome,
                           const struct status *status)
{
    const char *cure = open_cures[outcome];

    if (cure == NULL)
        cure = "see that kme is a key server of ETSI GS QKD 004 (a port of ETSI 014 begins with "
               "https://), that sae and peer are the SAE IDs it knows, and that etsi004-dialect is "
               "its own";
    doctor_wrong(doctor, cure, "no key stream from %s to %s: %s",
                 settings_source_uri(doctor->settings), settings_destination_uri(doctor->settings),
                 status->text);
}

/* Opens a stream and closes it again, which costs no key. */
static void answer004(struct doctor *doctor)
{
    struct kme_session session = {
        .settings = doctor->settings,
        .deadline = deadline_in_ms(STEP_LIMIT_MS),
        .client004 = client004_new(doctor_kme_endpoint(doctor),
                                   settings_etsi004_dialect(doctor->settings), NULL),
    };
    const struct stream004_wish wish = {
        .key_chunk_size_bytes = SOURCE_KEY_BYTES,
        .timeout_ms = (uint32_t)settings_timeout_ms(doctor->settings),
        .ttl_s = PROBE_TTL_S,
    };
    struct etsi004_open_answer answer = {.outcome = ETSI004_SUCCESS};
    struct status status = STATUS_INIT;

    if (session.client004 == NULL)
        status_fail(&status, OUTCOME_INTERNAL, "out of memory");
    else if (stream004_open(&session, &wish, &answer, &status) &&
             stream004_is_open(&session, &answer, &status))
        stream004_close(&session, &answer.stream_id, &status);
    client004_free(session.client004);
    if (status.outcome == OUTCOME_OK)
        doctor_ok(doctor, "%s opens a key stream from %s to %s", doctor_kme_url(doctor),
                  settings_source_uri(doctor->settings),
                  settings_destination_uri(doctor->settings));
    else if (!doctor_tls_failure(doctor, &status))
        say_failure004(doctor, answer.outcome, &status);
}

void doctor_kme_answer(struct doctor *doctor)
{
    if (settings_api(doctor->settings) == ENDPOINT_ETSI014)
        answer014(doctor);
    else
        answer004(doctor);
}

static bool is_014(const struct doctor *doctor)
{
    return settings_api(doctor->settings) == ENDPOINT_ETSI014;
}

void doctor_kme_sae(struct doctor *doctor)
{
    const struct etsi014_status *status = &doctor->kme.status;
    const char *sae = settings_sae(doctor->settings);
    char cure[DOCTOR_CURE_BYTES];

    if (!is_014(doctor))
        doctor_ok(doctor, "the key server took our certificate for %s",
                  settings_source_uri(doctor->settings));
    else if (status->master_sae_id[0] == '\0')
        doctor_warn(doctor, "ask the key server's operator which SAE our certificate is",
                    "the key server does not say which SAE our certificate is");
    else if (strcmp(status->master_sae_id, sae) != 0)
        doctor_wrong(doctor,
                     doctor_cure(cure, "in section [%s] write the line as: sae = %s",
                                 doctor->provider_section, status->master_sae_id),
                     "sae is '%s', and to the key server our certificate is that of '%s'", sae,
                     status->master_sae_id);
    else
        doctor_ok(doctor, "to the key server%s%s we are '%s'",
                  status->source_kme_id[0] != '\0' ? " " : "", status->source_kme_id, sae);
}

static bool check_sizes(struct doctor *doctor, const struct etsi014_status *status)
{
    if ((status->min_key_size_bits <= 0 || status->min_key_size_bits <= SOURCE_KEY_BITS) &&
        (status->max_key_size_bits <= 0 || status->max_key_size_bits >= SOURCE_KEY_BITS))
        return true;
    doctor_wrong(doctor, "ask the key server's operator to allow keys of 256 bits",
                 "the key server delivers keys of %" PRId64 " to %" PRId64
                 " bits, and a handshake needs %d",
                 status->min_key_size_bits, status->max_key_size_bits, SOURCE_KEY_BITS);
    return false;
}

static const char link_cure[] =
    "see to the peer's key server and the link to it (ours: qkdctl status --admin "
    "http://127.0.0.1:PORT on its machine), or wait until keys are there again";

/* A status promises keys, also while the way to the peer is broken; so one is asked for. */
static bool reserve(struct doctor *doctor)
{
    struct deadline deadline = deadline_in_ms(STEP_LIMIT_MS);
    struct client014 *client = client014_new(doctor_kme_endpoint(doctor), NULL);
    struct etsi014_container container = {0};
    struct status status = STATUS_INIT;

    if (client == NULL)
        status_fail(&status, OUTCOME_INTERNAL, "out of memory");
    else if (client014_get_key(client, settings_peer(doctor->settings), 1, SOURCE_KEY_BITS,
                               &deadline, &container, NULL, &status))
        doctor->keys_used++;
    etsi014_container_free(&container);
    client014_free(client);
    if (status.outcome != OUTCOME_OK)
        doctor_wrong(doctor, link_cure, "no key with peer '%s': %s",
                     settings_peer(doctor->settings), status.text);
    return status.outcome == OUTCOME_OK;
}

/* The count is only what the key server says: it may make keys when it is asked, and one that
 * leaves the member out has 0 here. */
static void say_keys(struct doctor *doctor, const char *delivered)
{
    const struct etsi014_status *status = &doctor->kme.status;

    if (status->stored_key_count > 0)
        doctor_ok(doctor, "%" PRId64 " keys with peer '%s' at%s%s%s", status->stored_key_count,
                  settings_peer(doctor->settings),
                  status->target_kme_id[0] != '\0' ? " key server " : " another key server",
                  status->target_kme_id, delivered);
    else
        doctor_ok(doctor, "no keys are counted with peer '%s'%s", settings_peer(doctor->settings),
                  delivered);
}

void doctor_kme_peer(struct doctor *doctor)
{
    const struct etsi014_status *status = &doctor->kme.status;

    if (!is_014(doctor)) {
        doctor_ok(doctor, "the key server opened a stream to %s",
                  settings_destination_uri(doctor->settings));
        return;
    }
    if (!check_sizes(doctor, status))
        return;
    if (doctor->choices.peer_config == NULL) {
        if (reserve(doctor))
            say_keys(doctor, ", and one was delivered");
    } else if (status->stored_key_count > 0) {
        say_keys(doctor, "");
    } else {
        doctor_warn(doctor, link_cure,
                    "the key server counts no keys with peer '%s'; whether it delivers one, the "
                    "step 'pair' shows",
                    settings_peer(doctor->settings));
    }
}

void doctor_kme_clock(struct doctor *doctor)
{
    struct tm parts = {0};
    int64_t ahead_s;

    if (doctor->kme.date[0] == '\0' ||
        strptime(doctor->kme.date, "%a, %d %b %Y %H:%M:%S GMT", &parts) == NULL) {
        doctor_ok(doctor, "the key server does not tell the time, and the dates of all "
                          "certificates fit this machine's clock");
        return;
    }
    ahead_s = (int64_t)time(NULL) - (int64_t)timegm(&parts);
    if (llabs(ahead_s) > CLOCK_TOLERANCE_S)
        doctor_warn(doctor, "set the clock of the machine that is wrong, best by NTP on both",
                    "this machine's clock is %lld s %s the key server's", llabs(ahead_s),
                    ahead_s > 0 ? "ahead of" : "behind");
    else
        doctor_ok(doctor, "it agrees with this machine's");
}
