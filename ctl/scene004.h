/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one check of an ETSI GS QKD 004 key server works with: connections of both ends of a
 * stream, the calls on them, and the octets that came back. The scene owns all of it and leaves
 * nothing behind: streams are closed, connections ended, keys wiped when it ends.
 *
 * Answers are read as they are: another service type or version than expected is not an error
 * here, since there is a check for it.
 */
#ifndef QKD_CTL_SCENE004_H
#define QKD_CTL_SCENE004_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"
#include "ctl/lab.h"
#include "etsi/etsi004.h"
#include "keys/settings.h"
#include "net/connection.h"
#include "net/endpoint.h"

enum end004 { END_INITIATOR, END_RESPONDER, END_STRANGER, END_COUNT };

enum {
    SCENE_LINES_MAX = 128,
    SCENE_STREAMS_MAX = 2200, /* of each end */
    SCENE_KEYS_MAX = 1024,
    SCENE_TEXT_BYTES = 200,
    SCENE_CHUNK_BYTES = 32, /* Key_chunk_size, unless a check is about it */
    SCENE_LONG_MS = 20000,  /* Timeout where nothing should wait: longer than anybody's patience */
    SCENE_SHORT_MS = 1000,  /* Timeout where a call waits in vain */
    SCENE_METADATA_BYTES = 1024,
    SCENE_PATIENCE_MS = 8000 /* --timeout-ms, by default */
};

/* The key servers to examine and who asks them; borrowed by the scenes. */
struct cast004 {
    struct endpoint *endpoints[END_COUNT];   /* NULL = nobody plays this part */
    const char *sae;                         /* the initiator's ID */
    bool stranger_is_an_sae;                 /* of the key server; else it is known nowhere there */
    char uris[2][ETSI004_URI_MAX_CHARS + 1]; /* of the initiator and of the responder */
    enum dialect004 dialect;
    int patience_ms;             /* for one answer */
    struct lab *lab;             /* NULL = none */
    enum lab_kme responders_kme; /* of the laboratory */
};

struct line004;

struct opened004 {
    enum end004 end;
    struct key_id id;
};

struct scene004 {
    const struct cast004 *cast;
    struct line004 *lines[SCENE_LINES_MAX];
    size_t line_count;
    struct opened004 opened[2 * SCENE_STREAMS_MAX]; /* to be closed */
    size_t opened_count;
    struct secret *keys[SCENE_KEYS_MAX];
    size_t key_count;
    uint64_t delivered_bits;     /* that the key servers gave */
    uint64_t delivered_count;    /* keys, likewise */
    char skip[SCENE_TEXT_BYTES]; /* why there was nothing to check; "" = there was */
    char note[SCENE_TEXT_BYTES]; /* to be said beside a pass; "" = nothing */
};

/* NULL when out of memory. */
struct scene004 *scene004_new(const struct cast004 *cast);
void scene004_free(struct scene004 *scene);

/* Ends a check that cannot be made here, with the reason; returns true. */
bool scene004_skip(struct scene004 *scene, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool scene004_skipped(const struct scene004 *scene);

/* Something to say beside a pass: an expectation that is another one here, for instance. */
void scene004_note(struct scene004 *scene, const char *text);

bool scene004_is_qubip(const struct scene004 *scene);
enum etsi004_profile scene004_profile(const struct scene004 *scene);

/* "the initiator's key server" and so on. */
const char *end004_text(enum end004 end);

/* --- Connections ---------------------------------------------------------------------------- */

/* A connection of that end to its key server; the scene's. NULL and *status on failure. */
struct line004 *line004_new(struct scene004 *scene, enum end004 end, struct status *status);

/* Ends the connection without closing any stream; the line is not to be used any more. */
void line004_drop(struct line004 *line);

enum end004 line004_end(const struct line004 *line);

bool line004_send(struct line004 *line, const struct buf *octets, struct status *status);

/* Whether the key server ends the connection within our patience, saying nothing. False and
 * *status when it answered or kept silent. */
bool line004_ends(struct line004 *line, const char *what, struct status *status);

/* Whether nothing has come so far. */
bool line004_is_silent(struct line004 *line);

/* --- Calls ---------------------------------------------------------------------------------- */

struct reply004 {
    struct etsi004_version version;
    uint8_t service;
    size_t payload_bytes;
    enum etsi004_outcome outcome;
    int64_t took_ms;          /* from when the last request was sent */
    struct etsi004_qos qos;   /* OPEN_CONNECT */
    struct key_id stream_id;  /* OPEN_CONNECT */
    uint32_t index;           /* GET_KEY, and all below */
    const struct secret *key; /* the scene's; NULL = none */
    uint32_t metadata_bytes;  /* that there are, or with status 8 are needed */
    char metadata[ETSI004_METADATA_MAX_BYTES + 1];
};

/* OPEN_CONNECT as that end would usually ask: its URIs, chunks of SCENE_CHUNK_BYTES, metadata in
 * JSON, a Timeout of SCENE_LONG_MS, no ID. */
struct etsi004_open scene004_wish(const struct scene004 *scene, enum end004 end);

/* A version 4 UUID. False when there is no randomness. */
bool new_stream_id(struct key_id *id, struct status *status);

/* Sends, and does not wait. */
bool line004_send_open(struct line004 *line, const struct etsi004_open *open,
                       struct status *status);
bool line004_send_get_key(struct line004 *line, const struct key_id *id, uint32_t index,
                          uint32_t metadata_bytes, struct status *status);
bool line004_send_close(struct line004 *line, const struct key_id *id, struct status *status);

/* Waits for the answer to the oldest request. */
bool line004_read(struct line004 *line, enum etsi004_service asked, struct reply004 *reply,
                  struct status *status);

/* Both. In W2 a call has a connection of its own. */
bool line004_open(struct line004 *line, const struct etsi004_open *open, struct reply004 *reply,
                  struct status *status);
bool line004_get_key(struct line004 *line, const struct key_id *id, uint32_t index,
                     struct reply004 *reply, struct status *status);
bool line004_get_key_room(struct line004 *line, const struct key_id *id, uint32_t index,
                          uint32_t metadata_bytes, struct reply004 *reply, struct status *status);
bool line004_close(struct line004 *line, const struct key_id *id, struct reply004 *reply,
                   struct status *status);

/* A stream that is open at both ends. */
struct pair004 {
    struct line004 *lines[2]; /* by end004: the initiator's and the responder's */
    struct key_id id;
    struct etsi004_qos qos; /* as granted to the initiator */
};

/* `qos` NULL = as scene004_wish has it. */
bool scene004_pair(struct scene004 *scene, const struct etsi004_qos *qos, struct pair004 *pair,
                   struct status *status);

/* The same with chunks that live no longer than this; skips the check when the key server grants
 * nothing so short. */
bool scene004_pair_of_ttl(struct scene004 *scene, uint32_t ttl_s, struct pair004 *pair,
                          struct status *status);

/* --- What was expected ---------------------------------------------------------------------- */

/* All false with a sentence that begins with `what`. */

bool expect_outcome(const struct reply004 *reply, enum etsi004_outcome wanted, const char *what,
                    struct status *status);

/* `wanted` has bit 1 << OUTCOME for each that will do. */
bool expect_one_of(const struct reply004 *reply, unsigned wanted, const char *what,
                   struct status *status);

/* Success, or "peer not connected yet": the stream is open at this end. */
bool expect_open(const struct reply004 *reply, const char *what, struct status *status);

/* A key, whatever its size. */
bool expect_key(const struct reply004 *reply, const char *what, struct status *status);

bool expect_same_key(const struct reply004 *one, const struct reply004 *other, const char *what,
                     struct status *status);

/* The answer did not wait for that Timeout. */
bool expect_at_once(const struct reply004 *reply, uint32_t timeout_ms, const char *what,
                    struct status *status);

/* The answer came at the end of that Timeout: 10 % or 250 ms early at most, and not later than
 * 10 % and a margin for the network. */
bool expect_at_timeout(const struct reply004 *reply, uint32_t timeout_ms, const char *what,
                       struct status *status);

/* The next answer on this line is no key: with one of those statuses, or the connection ends. */
bool expect_no_key(struct line004 *line, const struct key_id *id, uint32_t index, unsigned wanted,
                   const char *what, struct status *status);

#define EITHER(a, b) (1u << (a) | 1u << (b))

#endif
