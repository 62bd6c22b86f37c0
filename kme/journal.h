/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens at this key server, told in one place: each event becomes a line of the audit log
 * where there is one, and what went wrong is kept for the admin side. An entry has no member that
 * could carry octets of a key. A NULL journal drops everything.
 */
#ifndef QKD_KME_JOURNAL_H
#define QKD_KME_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/key_id.h"
#include "base/status.h"
#include "kme/env.h"
#include "kme/json_out.h"

enum journal_event {
    JOURNAL_START,
    JOURNAL_STOP,
    JOURNAL_RELOAD,
    JOURNAL_RELOAD_REFUSED,
    JOURNAL_LINK_UP,
    JOURNAL_LINK_DOWN,
    JOURNAL_RESERVE, /* a key, by an initiator of ETSI 014 */
    JOURNAL_CLAIM,   /* a key, by a responder of ETSI 014 */
    JOURNAL_OPEN,    /* and below: ETSI 004 */
    JOURNAL_GET_KEY,
    JOURNAL_CLOSE,
    JOURNAL_REFUSED,   /* a request of either */
    JOURNAL_MISBEHAVE, /* on command */
    JOURNAL_EVENT_COUNT
};

/* What does not apply is NULL or 0. Everything is borrowed for the call. */
struct journal_entry {
    enum journal_event event;
    const char *api;    /* "014" or "004" */
    const char *method; /* what was asked for */
    const char *sae;    /* who asked; of a stranger, what its certificate says */
    const char *peer;   /* the other SAE; for links the other key server */
    const char *remote; /* the address of who asked */
    const struct key_id *key_id;
    const struct key_id *stream_id;
    const uint32_t *index; /* of the position in the stream */
    uint32_t size_bits;
    const char *outcome; /* NULL is "ok" */
};

struct journal;

/* Borrows env. Without an audit log. NULL when out of memory. */
struct journal *journal_new(const struct env *env);
void journal_free(struct journal *journal);

/* The audit log's file from now on, opened anew; NULL for none. On failure the old one stays. */
bool journal_open(struct journal *journal, const char *path, struct status *status);

/* Whether anybody reads of things that went well: where not, an entry need not be made. */
bool journal_is_open(const struct journal *journal);

void journal_note(struct journal *journal, const struct journal_entry *entry);

enum { JOURNAL_FAULTS_MAX = 50 };

/* Appends the array "errors": what went wrong last, newest first. What happened again and again is
 * one entry, with a count. */
void journal_put_faults(const struct journal *journal, struct json_out *out);

/* Lines of the audit log that a failing disk has cost. */
uint64_t journal_lost(const struct journal *journal);

#endif
