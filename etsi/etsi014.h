/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ETSI GS QKD 014 V1.1.1: its data as C, and its JSON in both directions. Pure functions, for
 * clients and servers alike: no sockets, no state, no clock.
 *
 * Sizes of keys are in bits here, as on the wire. A key is a struct secret as soon as it is
 * parsed; the JSON library never sees one (see etsi014_container_parse).
 */
#ifndef QKD_ETSI_ETSI014_H
#define QKD_ETSI_ETSI014_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/key_id.h"
#include "base/secret.h"
#include "base/status.h"

enum {
    ETSI014_ID_MAX_CHARS = 255,        /* an SAE ID or KME ID; the standard sets no limit */
    ETSI014_PATH_MAX_CHARS = 1024,     /* a request path with a percent-encoded SAE ID */
    ETSI014_KEYS_MAX = 128,            /* keys or key IDs in one message that we handle */
    ETSI014_MESSAGE_MAX_CHARS = 200,   /* of an Error object's message that we keep */
    ETSI014_REQUEST_MAX_BYTES = 65536, /* of a request body that we accept */
    ETSI014_RESPONSE_MAX_BYTES =
        2097152,                /* of a response body that we write: 128 keys of 64 kbit */
    ETSI014_JSON_MAX_DEPTH = 16 /* of nesting that we accept */
};

/* Clause 5.1, Table 2. */
enum etsi014_method {
    ETSI014_GET_STATUS, /* asked by the initiator (master SAE) */
    ETSI014_GET_KEY,    /* asked by the initiator: a reservation */
    ETSI014_GET_KEY_IDS /* asked by the responder (slave SAE): a claim */
};

/* Appends "/api/v1/keys/{peer}/METHOD", the peer's SAE ID percent-encoded as one segment. */
void etsi014_put_path(struct buf *buf, const char *peer_sae, enum etsi014_method method);

/* Clause 6.1, Table 9. A member that a server left out is 0 or "" (see the client's limits). */
struct etsi014_status {
    char source_kme_id[ETSI014_ID_MAX_CHARS + 1];
    char target_kme_id[ETSI014_ID_MAX_CHARS + 1];
    char master_sae_id[ETSI014_ID_MAX_CHARS + 1];
    char slave_sae_id[ETSI014_ID_MAX_CHARS + 1];
    int64_t key_size_bits; /* the default size, not a limit */
    int64_t stored_key_count;
    int64_t max_key_count;
    int64_t max_key_per_request;
    int64_t max_key_size_bits;
    int64_t min_key_size_bits;
    int64_t max_sae_id_count;
};

void etsi014_status_put(struct buf *buf, const struct etsi014_status *value);
bool etsi014_status_parse(const void *json, size_t length, struct etsi014_status *value,
                          struct status *status);

/* Names in additional_slave_SAE_IDs that are read; more are counted only. */
enum { ETSI014_ADDITIONAL_SLAVES_MAX = 16 };

/* Clause 6.2, Table 10. */
struct etsi014_key_request {
    int64_t number;                /* of keys; 1 when the request does not say */
    int64_t size_bits;             /* of each; 0 when the request does not say */
    size_t additional_slave_count; /* in the request; the first of them are below */
    char additional_slaves[ETSI014_ADDITIONAL_SLAVES_MAX][ETSI014_ID_MAX_CHARS + 1];
    /* Name of the first member of extension_mandatory, "" when there is none. We know no
     * extensions, so any name is one too many; longer names are cut. */
    char extension_mandatory[64];
};

/* Clause 6.5, Table 13, with the HTTP status it travels with. */
struct etsi014_error {
    int http_status;
    int retry_after_s; /* of a 503; 0: the server's default */
    char message[ETSI014_MESSAGE_MAX_CHARS + 1];
    char detail_name[64]; /* "" = no details */
    char detail_text[ETSI014_MESSAGE_MAX_CHARS + 1];
};

/* The messages that the standard fixes word for word (clauses 5.3, 5.4) and that a server
 * without extensions can send. */
extern const char etsi014_size_not_multiple_of_8[];
extern const char etsi014_extension_mandatory_unsupported[];
extern const char etsi014_keys_not_found[];

/* Fills *error in and returns false, for use as `return etsi014_refuse(...)`. */
bool etsi014_refuse(struct etsi014_error *error, int http_status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes the Error object (message, and details as an array of one-member objects). */
void etsi014_error_put(struct buf *buf, const struct etsi014_error *error);

/* Server: the body of POST enc_keys; an empty body equals {}. Checks types and JSON (depth,
 * duplicate members, UTF-8), not limits. On false *error says what to answer. */
bool etsi014_key_request_parse(const void *json, size_t length, struct etsi014_key_request *request,
                               struct etsi014_error *error);

/* Client: that body. */
void etsi014_key_request_put(struct buf *buf, int64_t number, int64_t size_bits);

/* Clause 6.4, Table 12. Server: the body of POST dec_keys, 1 to max_ids IDs (max_ids at most
 * ETSI014_KEYS_MAX), in request order, without duplicates. On false *error says what to answer. */
bool etsi014_key_ids_parse(const void *json, size_t length, struct key_id *ids, size_t max_ids,
                           size_t *count, struct etsi014_error *error);

/* Client: that body. */
void etsi014_key_ids_put(struct buf *buf, const struct key_id *ids, size_t count);

/* Clause 6.3, Table 11. */
struct etsi014_key {
    struct key_id id;
    struct secret *key; /* owned by the container */
};

struct etsi014_container {
    size_t count;
    struct etsi014_key keys[ETSI014_KEYS_MAX];
};

/* Server: borrows the keys. The text is keys: wipe the buffer (buf_free does). */
void etsi014_container_put(struct buf *buf, const struct etsi014_container *container);

/* Client. Writes to `json`: each member named "key" is decoded and overwritten before anything
 * else reads the text, so the JSON library's own memory never holds a key; the caller still
 * wipes the buffer. Accepts unknown members and any order. Refuses (OUTCOME_KME) what is not
 * JSON, more than ETSI014_KEYS_MAX keys, a key_ID that is no UUID or appears twice, and base64
 * that is not canonical. On false *container is empty. */
bool etsi014_container_parse(char *json, size_t length, struct etsi014_container *container,
                             struct status *status);
void etsi014_container_free(struct etsi014_container *container);

/* What a client makes of an answer that is not 200. */
enum etsi014_refusal {
    ETSI014_REFUSED_NOT_FOUND, /* unknown, delivered or expired key ID; or not yet synchronised */
    ETSI014_REFUSED_EXHAUSTED, /* no key material now: worth trying again later */
    ETSI014_REFUSED_UNAUTHORISED, /* 401 or 403: our identity, or not our key */
    ETSI014_REFUSED_REQUEST,      /* 400 of any other kind: asking again will not help */
    ETSI014_REFUSED_SERVER        /* 5xx and everything else */
};

/* Client: classifies an answer by its code and, where servers differ, by its text (case and a
 * final full stop do not matter). `message` receives what the server said: `message` or `detail`
 * of the JSON, or the beginning of a plain text; "" for HTML or nothing. */
enum etsi014_refusal etsi014_refusal_classify(enum etsi014_method method, int http_status,
                                              const void *body, size_t length,
                                              char message[static ETSI014_MESSAGE_MAX_CHARS + 1]);

#endif
