/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ETSI GS QKD 004 V2.1.1 as octets on a connection, in both directions. The standard defines
 * functions and parameters but no wire format; two are in use and both are spoken here:
 *
 *   W1  the layout of the field's Python implementation: short answers on errors
 *   W2  the layout of the C reference: texts end with NUL, answers are always complete
 *
 * Pure functions, for clients and servers alike. All integers are big-endian on the wire. What
 * a peer sends is bounded before anything is allocated; a message that does not fit its layout
 * exactly is malformed.
 */
#ifndef QKD_ETSI_ETSI004_H
#define QKD_ETSI_ETSI004_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/key_id.h"
#include "base/secret.h"
#include "base/status.h"

enum {
    ETSI004_HEADER_BYTES = 8,
    ETSI004_PAYLOAD_MAX_BYTES = 65536,
    ETSI004_URI_MAX_CHARS = 1024,
    ETSI004_MIMETYPE_BYTES = 256, /* with at least one NUL */
    ETSI004_CHUNK_MAX_BYTES = SECRET_MAX_BYTES,
    ETSI004_METADATA_MAX_BYTES = 4096
};

enum etsi004_profile { ETSI004_W1, ETSI004_W2 };

/* The service type octet of the header. */
enum etsi004_service {
    ETSI004_OPEN_CONNECT = 0x02,
    ETSI004_OPEN_CONNECT_ANSWER = 0x03,
    ETSI004_GET_KEY = 0x04,
    ETSI004_GET_KEY_ANSWER = 0x05,
    ETSI004_CLOSE = 0x08,
    ETSI004_CLOSE_ANSWER = 0x09
};

/* Clause 6.1, Table 2, status. The numbers on the wire are a table per profile: the next edition
 * of the standard renumbers them. */
enum etsi004_outcome {
    ETSI004_SUCCESS,
    ETSI004_PEER_NOT_YET_CONNECTED, /* OPEN_CONNECT succeeded, the peer has not opened yet */
    ETSI004_INSUFFICIENT_KEY,
    ETSI004_PEER_NOT_CONNECTED, /* GET_KEY failed: the peer has not opened, or no such stream */
    ETSI004_NO_QKD_CONNECTION,
    ETSI004_IN_USE,
    ETSI004_TIMEOUT,
    ETSI004_QOS_NOT_MET, /* the QoS in the answer is a counter-proposal */
    ETSI004_METADATA_TOO_SMALL,
    ETSI004_OUTCOME_COUNT
};

/* What an outcome means, as a sentence without a full stop; never NULL. */
const char *etsi004_outcome_text(enum etsi004_outcome outcome);

/* Clause 6.1, Table 2, QoS. 0 or "" leaves the choice to the key server. */
struct etsi004_qos {
    uint32_t key_chunk_size_bytes;
    uint32_t max_bps;
    uint32_t min_bps;
    uint32_t jitter_bps;
    uint32_t priority;
    uint32_t timeout_ms;
    uint32_t ttl_s;
    char metadata_mimetype[ETSI004_MIMETYPE_BYTES];
};

/* The seven integers of QoS, in the order of Table 2, as every wire has them. A reader that ends
 * too early gives zeros and remembers the failure. */
void etsi004_qos_numbers_put(struct buf *buf, const struct etsi004_qos *qos);
void etsi004_qos_numbers_take(struct reader *reader, struct etsi004_qos *qos);

struct etsi004_version {
    uint8_t octets[3];
};

/* What a client of the profile sends: 1.0.1 or 2.1.1. */
struct etsi004_version etsi004_version_of(enum etsi004_profile profile);

/* What a server takes a new connection to speak until a message tells: W2 for 2.1.1, else W1. */
enum etsi004_profile etsi004_profile_of(struct etsi004_version version);

/* One message at the front of the input: header, and payload behind it. */
struct etsi004_frame {
    struct etsi004_version version;
    uint8_t service;        /* any value; the caller decides what it takes */
    const uint8_t *payload; /* in the input; not owned */
    size_t payload_bytes;
};

enum etsi004_framing { ETSI004_INCOMPLETE, ETSI004_COMPLETE, ETSI004_TOO_LARGE };

/* Looks at the front of the input without consuming it; a complete message is
 * ETSI004_HEADER_BYTES + payload_bytes long. A payload above ETSI004_PAYLOAD_MAX_BYTES is
 * ETSI004_TOO_LARGE as soon as the header is there. *frame is for use with ETSI004_COMPLETE. */
enum etsi004_framing etsi004_frame_take(const struct buf *input, struct etsi004_frame *frame);

/* --- Requests: a client writes, a server parses ------------------------------------------- */

/* All _put functions append one whole message; buf fails when it has no place on the wire. */

struct etsi004_open {
    char source[ETSI004_URI_MAX_CHARS + 1]; /* any octets but NUL; the caller judges the URI */
    char destination[ETSI004_URI_MAX_CHARS + 1];
    struct etsi004_qos qos;
    struct key_id stream_id; /* zero = the key server chooses */
};

struct etsi004_get_key {
    struct key_id stream_id;
    uint32_t index;
    uint32_t metadata_bytes; /* what the caller has room for; written in W2, where the room itself
                              * travels, up to ETSI004_METADATA_MAX_BYTES */
};

void etsi004_open_put(struct buf *buf, enum etsi004_profile profile,
                      const struct etsi004_open *open);
void etsi004_get_key_put(struct buf *buf, enum etsi004_profile profile,
                         const struct etsi004_get_key *get_key);
void etsi004_close_put(struct buf *buf, enum etsi004_profile profile,
                       const struct key_id *stream_id);

/* Server. All return false for a malformed payload, which deserves no answer. `profile` is what
 * this connection spoke before (at first etsi004_profile_of), for the messages that do not tell,
 * and receives what this one is: OPEN_CONNECT tells by the length of what follows the mimetype,
 * unless that has 255 characters; GET_KEY with octets behind its 24 is W2, and W1 where room for
 * metadata is announced without them; other messages, and malformed ones, keep it. */
bool etsi004_open_parse(const struct etsi004_frame *frame, enum etsi004_profile *profile,
                        struct etsi004_open *open);
bool etsi004_get_key_parse(const struct etsi004_frame *frame, enum etsi004_profile *profile,
                           struct etsi004_get_key *get_key);
bool etsi004_close_parse(const struct etsi004_frame *frame, struct key_id *stream_id);

/* --- Answers: a server writes, a client parses -------------------------------------------- */

struct etsi004_open_answer {
    enum etsi004_outcome outcome;
    struct etsi004_qos qos;  /* with success, PEER_NOT_YET_CONNECTED and QOS_NOT_MET */
    struct key_id stream_id; /* zero where none was made */
};

struct etsi004_key_answer {
    enum etsi004_outcome outcome;
    uint32_t index;     /* parsed with success only */
    struct secret *key; /* with success; owned by whoever parsed or made it */
    /* With METADATA_TOO_SMALL how many octets are needed, or 0 where the answer does not tell: W2
     * has no place for it. Else how many there are. */
    uint32_t metadata_bytes;
    char metadata[ETSI004_METADATA_MAX_BYTES + 1]; /* NUL behind it for convenience */
};

/* Server; the version octets of the request come back in the answer. buf then holds a key. An
 * error is short in W1, and in W2 a complete structure with zeros, empty texts and no octets. */
void etsi004_open_answer_put(struct buf *buf, enum etsi004_profile profile,
                             struct etsi004_version version,
                             const struct etsi004_open_answer *answer);
void etsi004_key_answer_put(struct buf *buf, enum etsi004_profile profile,
                            struct etsi004_version version,
                            const struct etsi004_key_answer *answer);
void etsi004_close_answer_put(struct buf *buf, enum etsi004_profile profile,
                              struct etsi004_version version, enum etsi004_outcome outcome);

/* Client. On false *status (OUTCOME_KME; OUTCOME_INTERNAL when out of memory) says what is wrong
 * with the answer, and nothing is owned. Wrong are also another service and a status number that
 * the profile does not know. An error may have the form of either profile, which its length
 * tells, and leaves the other fields zero; what the caller asked for (chunk size, index, room for
 * metadata) is for the caller to compare. */
bool etsi004_open_answer_parse(const struct etsi004_frame *frame, enum etsi004_profile profile,
                               struct etsi004_open_answer *answer, struct status *status);
bool etsi004_key_answer_parse(const struct etsi004_frame *frame, enum etsi004_profile profile,
                              struct etsi004_key_answer *answer, struct status *status);
bool etsi004_close_answer_parse(const struct etsi004_frame *frame, enum etsi004_profile profile,
                                enum etsi004_outcome *outcome, struct status *status);

#endif
