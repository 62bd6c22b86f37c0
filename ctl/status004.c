/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "ctl/stream004.h"
#include "keys/source.h"

enum { PROBE_TTL_S = 60 };

/* What OPEN_CONNECT answered, ready to be shown. */
struct report {
    const char *kme, *source, *destination;
    const char *outcome;
    bool open;    /* there is a stream */
    bool has_qos; /* granted, or with a refusal offered */
    char stream_id[KEY_ID_TEXT_CHARS + 1];
    struct etsi004_qos qos;
};

static struct report make_report(const struct kme_session *session,
                                 const struct etsi004_open_answer *answer, bool open)
{
    struct report report = {
        .kme = settings_kme(session->settings),
        .source = settings_source_uri(session->settings),
        .destination = settings_destination_uri(session->settings),
        .outcome = etsi004_outcome_text(answer->outcome),
        .open = open,
        .has_qos = open || answer->outcome == ETSI004_QOS_NOT_MET,
        .qos = answer->qos,
    };

    key_id_format(&answer->stream_id, report.stream_id);
    for (char *at = report.qos.metadata_mimetype; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    return report;
}

static void print_table(const struct report *report)
{
    const struct etsi004_qos *qos = &report->qos;

    printf("key server               %s\n"
           "source (our end)         %s\n"
           "destination (the peer's) %s\n"
           "OPEN_CONNECT             %s\n",
           report->kme, report->source, report->destination, report->outcome);
    if (report->open)
        printf("Key_stream_ID            %s\n", report->stream_id);
    if (!report->has_qos)
        return;
    printf("quality of service       %s\n"
           "  size of a key          %" PRIu64 " bits\n"
           "  rate at least          %" PRIu32 " bit/s\n"
           "  rate at most           %" PRIu32 " bit/s\n"
           "  jitter                 %" PRIu32 " bit/s\n"
           "  priority               %" PRIu32 "\n"
           "  timeout                %" PRIu32 " ms\n"
           "  TTL                    %" PRIu32 " s\n"
           "  metadata               %s\n",
           report->open ? "granted" : "offered instead", (uint64_t)qos->key_chunk_size_bytes * 8,
           qos->min_bps, qos->max_bps, qos->jitter_bps, qos->priority, qos->timeout_ms, qos->ttl_s,
           qos->metadata_mimetype[0] != '\0' ? qos->metadata_mimetype : "none");
}

static json_t *qos_json(const struct etsi004_qos *qos)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "Key_chunk_size",
                     (json_int_t)qos->key_chunk_size_bytes, "Max_bps", (json_int_t)qos->max_bps,
                     "Min_bps", (json_int_t)qos->min_bps, "Jitter", (json_int_t)qos->jitter_bps,
                     "Priority", (json_int_t)qos->priority, "Timeout", (json_int_t)qos->timeout_ms,
                     "TTL", (json_int_t)qos->ttl_s, "Metadata_mimetype", qos->metadata_mimetype);
}

static bool print_json(const struct report *report, struct status *status)
{
    json_t *whole = json_pack("{s:s, s:s, s:s, s:s, s:b}", "key_server", report->kme, "source",
                              report->source, "destination", report->destination, "outcome",
                              report->outcome, "open", (int)report->open);
    char *text;

    if (report->open)
        json_object_set_new(whole, "Key_stream_ID", json_string(report->stream_id));
    if (report->has_qos)
        json_object_set_new(whole, "QoS", qos_json(&report->qos));
    text = json_dumps(whole, JSON_INDENT(2));
    if (text != NULL)
        puts(text);
    free(text);
    json_decref(whole);
    return text != NULL ||
           status_fail(status, OUTCOME_INTERNAL, "the answer cannot be written as JSON");
}

bool status004(struct kme_session *session, bool json, struct status *status)
{
    const struct stream004_wish wish = {
        .key_chunk_size_bytes = SOURCE_KEY_BYTES,
        .timeout_ms = (uint32_t)settings_timeout_ms(session->settings),
        .ttl_s = PROBE_TTL_S,
    };
    struct etsi004_open_answer answer;
    struct report report;

    if (!stream004_open(session, &wish, &answer, status))
        return false;
    report = make_report(session, &answer, stream004_is_open(session, &answer, status));
    if (report.open)
        stream004_close(session, &answer.stream_id, status);
    if (json)
        print_json(&report, status);
    else
        print_table(&report);
    return status->outcome == OUTCOME_OK;
}
