/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of an SAE, the connection that it came over, and the ways to answer it. A connection
 * has one call at a time; one that must wait holds up nothing but its own connection. Private to
 * service004.c, connection004.c, open004.c, get_key004.c and close004.c.
 */
#ifndef QKD_KME_CALL004_H
#define QKD_KME_CALL004_H

#include <sys/queue.h>

#include <openssl/types.h>

#include "kme/address.h"
#include "kme/env.h"
#include "kme/identity.h"
#include "kme/metrics.h"
#include "kme/occupancy.h"
#include "kme/peers.h"
#include "kme/policy004.h"
#include "kme/stream.h"
#include "kme/stream004.h"

struct service004 {
    const struct env *env;
    struct peers *peers;
    struct listener *listener;
    LIST_HEAD(, connection004) connections;
    struct occupancy occupancy;
};

/* Of a call that is made to wait before it is looked at, see misbehave004.h. */
enum delay004 { DELAY004_NONE, DELAY004_ON, DELAY004_OVER };

struct call004 {
    struct connection004 *connection;
    enum metric_call004 kind;
    struct etsi004_version version; /* of the request; the answer has the same */
    enum etsi004_profile profile;
    struct key_id id;
    uint32_t index, metadata_bytes; /* of GET_KEY */
    bool waiting;
    enum delay004 delay;
    enum metric_hold hold;
    int64_t since_ns;        /* when it came in */
    struct waiter004 waiter; /* its event also keeps the time */
    int64_t deadline_ns;
};

struct connection004 {
    struct service004 *service;
    struct stream *stream;
    struct identity *identity; /* NULL when it is not to be believed */
    char remote[ADDRESS_TEXT_BYTES];
    enum etsi004_profile profile;
    bool spoke; /* the profile is what was last spoken here */
    bool advancing, ending;
    struct key_id refused; /* the ID that OPEN_CONNECT was refused for last; or zeros */
    struct attachment004 attachment;
    struct call004 call;
    LIST_ENTRY(connection004) next;
};

/* A connection that was accepted; owns fd. */
void connection004_new(struct service004 *service, int fd);
void connection004_free(struct connection004 *connection);

/* The caller's SAE ID; NULL when its certificate is not that of one SAE of this site. */
const char *call004_caller(const struct call004 *call);

/* The stream with this ID, on whichever link; NULL if there is none. */
struct stream004 *call004_stream(const struct call004 *call, const struct key_id *id);

/* Starts the clock of a call that has come in now. */
void call004_set_timeout(struct call004 *call, uint32_t timeout_ms);
bool call004_time_is_up(const struct call004 *call);

/* The call goes on when something happens to the stream, when its time is up, or at retry_ns. */
void call004_wait(struct call004 *call, struct stream004 *stream, int64_t retry_ns);

/* Each ends the call. */
void call004_answer_open(struct call004 *call, const struct etsi004_open_answer *answer);
void call004_answer_key(struct call004 *call, const struct etsi004_key_answer *answer);
void call004_answer_close(struct call004 *call, enum etsi004_outcome outcome);

/* What became of a call. */
struct call004_result {
    unsigned outcome;               /* enum etsi004_outcome, or OUTCOME004_* */
    const struct key_id *stream_id; /* of the stream that an OPEN_CONNECT led to; else NULL */
    size_t size_bytes;              /* of the key that was delivered; else 0 */
};

void call004_note(const struct call004 *call, const struct call004_result *result);

/* The methods. They answer the call, or make it wait. */
void open004(struct call004 *call, const struct etsi004_open *open);
void open004_again(struct call004 *call);
void get_key004(struct call004 *call);
void get_key004_again(struct call004 *call);
void close004(struct call004 *call);

#endif
