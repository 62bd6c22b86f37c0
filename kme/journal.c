/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/journal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "etsi/etsi014.h"
#include "kme/address.h"
#include "kme/audit.h"

enum { TIME_BYTES = 32, OUTCOME_BYTES = 160, METHOD_BYTES = 16, API_BYTES = 4 };

static const struct {
    const char *name;
    bool is_fault;
} events[JOURNAL_EVENT_COUNT] = {
    [JOURNAL_START] = {"start", false},        [JOURNAL_STOP] = {"stop", false},
    [JOURNAL_RELOAD] = {"reload", false},      [JOURNAL_RELOAD_REFUSED] = {"reload_refused", true},
    [JOURNAL_LINK_UP] = {"link_up", false},    [JOURNAL_LINK_DOWN] = {"link_down", true},
    [JOURNAL_RESERVE] = {"reserve", false},    [JOURNAL_CLAIM] = {"claim", false},
    [JOURNAL_OPEN] = {"open", false},          [JOURNAL_GET_KEY] = {"get_key", false},
    [JOURNAL_CLOSE] = {"close", false},        [JOURNAL_REFUSED] = {"refused", true},
    [JOURNAL_MISBEHAVE] = {"misbehave", true},
};

/* A fault that is kept; texts are cut to fit. */
struct fault {
    enum journal_event event;
    struct timespec at; /* the last time */
    uint64_t count;
    char api[API_BYTES], method[METHOD_BYTES], remote[ADDRESS_TEXT_BYTES];
    char sae[ETSI014_ID_MAX_CHARS + 1], peer[ETSI014_ID_MAX_CHARS + 1];
    char outcome[OUTCOME_BYTES];
    char id[KEY_ID_TEXT_CHARS + 1]; /* of the key or the stream */
};

struct journal {
    struct audit *audit;
    struct fault faults[JOURNAL_FAULTS_MAX];
    size_t newest, fault_count;
    time_t line_second; /* of line_time */
    char line_time[TIME_BYTES];
};

struct journal *journal_new(const struct env *env)
{
    struct journal *journal = OPENSSL_zalloc(sizeof(*journal));

    if (journal == NULL)
        return NULL;
    journal->audit = audit_new(env);
    if (journal->audit == NULL) {
        OPENSSL_free(journal);
        return NULL;
    }
    return journal;
}

void journal_free(struct journal *journal)
{
    if (journal == NULL)
        return;
    audit_free(journal->audit);
    OPENSSL_free(journal);
}

bool journal_open(struct journal *journal, const char *path, struct status *status)
{
    return audit_open(journal->audit, path, status);
}

bool journal_is_open(const struct journal *journal)
{
    return journal != NULL && audit_is_open(journal->audit);
}

/* RFC 3339, UTC, with milliseconds. */
static void format_time(const struct timespec *at, char text[static TIME_BYTES])
{
    struct tm utc;
    size_t length;

    gmtime_r(&at->tv_sec, &utc);
    length = strftime(text, TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + length, TIME_BYTES - length, ".%03ldZ", at->tv_nsec / 1000000 % 1000);
}

/* The same for the next line: most are of the second of the line before. */
static const char *line_time(struct journal *journal, const struct timespec *now)
{
    enum { FIRST_DIGIT_OF_MS = 20 };
    char *ms = journal->line_time + FIRST_DIGIT_OF_MS;

    if (now->tv_sec != journal->line_second)
        format_time(now, journal->line_time);
    journal->line_second = now->tv_sec;
    for (long unit = 100000000; unit >= 1000000; unit /= 10)
        *ms++ = (char)('0' + now->tv_nsec / unit % 10);
    return journal->line_time;
}

static void put_text_if(struct json_out *out, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0')
        json_out_text(out, name, text);
}

static void put_id_if(struct json_out *out, const char *name, const struct key_id *id)
{
    char text[KEY_ID_TEXT_CHARS + 1];

    if (id == NULL)
        return;
    key_id_format(id, text);
    json_out_text(out, name, text);
}

static void write_line(struct journal *journal, const struct journal_entry *entry,
                       const struct timespec *now)
{
    struct buf *line = audit_line(journal->audit);
    struct json_out out;

    if (line == NULL)
        return;
    json_out_init(&out, line);
    json_out_object(&out, NULL);
    json_out_text(&out, "time", line_time(journal, now));
    json_out_text(&out, "event", events[entry->event].name);
    put_text_if(&out, "api", entry->api);
    put_text_if(&out, "method", entry->method);
    put_text_if(&out, "sae", entry->sae);
    put_text_if(&out, "peer", entry->peer);
    put_id_if(&out, "key_ID", entry->key_id);
    put_id_if(&out, "Key_stream_ID", entry->stream_id);
    if (entry->index != NULL)
        json_out_number(&out, "index", *entry->index);
    if (entry->size_bits > 0)
        json_out_number(&out, "size_bits", entry->size_bits);
    json_out_text(&out, "outcome", entry->outcome != NULL ? entry->outcome : "ok");
    put_text_if(&out, "remote", entry->remote);
    json_out_object_end(&out);
    buf_put_u8(line, '\n');
    audit_line_end(journal->audit);
}

/* What does not fit is cut where no UTF-8 character is torn. */
static void keep(char *to, size_t room, const char *text)
{
    size_t length = text == NULL ? 0 : strlen(text);

    if (length >= room) {
        length = room - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    if (length > 0)
        memcpy(to, text, length);
    to[length] = '\0';
}

static void make_fault(const struct journal_entry *entry, struct fault *fault)
{
    const struct key_id *id = entry->key_id != NULL ? entry->key_id : entry->stream_id;

    memset(fault, 0, sizeof(*fault));
    fault->event = entry->event;
    keep(fault->api, sizeof(fault->api), entry->api);
    keep(fault->method, sizeof(fault->method), entry->method);
    keep(fault->sae, sizeof(fault->sae), entry->sae);
    keep(fault->peer, sizeof(fault->peer), entry->peer);
    keep(fault->remote, sizeof(fault->remote), entry->remote);
    keep(fault->outcome, sizeof(fault->outcome), entry->outcome);
    if (id != NULL)
        key_id_format(id, fault->id);
}

/* The same thing of the same SAE, if with another key and over another connection. */
static bool is_same(const struct fault *a, const struct fault *b)
{
    return a->event == b->event && strcmp(a->api, b->api) == 0 &&
           strcmp(a->method, b->method) == 0 && strcmp(a->sae, b->sae) == 0 &&
           strcmp(a->peer, b->peer) == 0 && strcmp(a->outcome, b->outcome) == 0;
}

static void keep_fault(struct journal *journal, const struct journal_entry *entry,
                       const struct timespec *now)
{
    struct fault *newest = &journal->faults[journal->newest], fault;

    make_fault(entry, &fault);
    fault.count = 1;
    fault.at = *now;
    if (journal->fault_count > 0 && is_same(newest, &fault)) {
        fault.count += newest->count;
    } else {
        journal->newest = (journal->newest + 1) % JOURNAL_FAULTS_MAX;
        if (journal->fault_count < JOURNAL_FAULTS_MAX)
            journal->fault_count++;
    }
    journal->faults[journal->newest] = fault;
}

void journal_note(struct journal *journal, const struct journal_entry *entry)
{
    struct timespec now;

    if (journal == NULL || (!events[entry->event].is_fault && !audit_is_open(journal->audit)))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    write_line(journal, entry, &now);
    if (events[entry->event].is_fault)
        keep_fault(journal, entry, &now);
}

static void put_fault(const struct fault *fault, struct json_out *out)
{
    char time_text[TIME_BYTES];

    format_time(&fault->at, time_text);
    json_out_object(out, NULL);
    json_out_text(out, "time", time_text);
    json_out_text(out, "event", events[fault->event].name);
    put_text_if(out, "api", fault->api);
    put_text_if(out, "method", fault->method);
    put_text_if(out, "sae", fault->sae);
    put_text_if(out, "peer", fault->peer);
    put_text_if(out, "id", fault->id);
    json_out_text(out, "outcome", fault->outcome);
    put_text_if(out, "remote", fault->remote);
    json_out_number(out, "count", (int64_t)fault->count);
    json_out_object_end(out);
}

void journal_put_faults(const struct journal *journal, struct json_out *out)
{
    json_out_array(out, "errors");
    for (size_t i = 0; journal != NULL && i < journal->fault_count; i++)
        put_fault(&journal->faults[(journal->newest + JOURNAL_FAULTS_MAX - i) % JOURNAL_FAULTS_MAX],
                  out);
    json_out_array_end(out);
}

uint64_t journal_lost(const struct journal *journal)
{
    return journal == NULL ? 0 : audit_lost(journal->audit);
}
