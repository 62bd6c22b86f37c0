/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of an SAE, and the ways to answer it. Private to service014.c, reserve014.c and
 * claim014.c.
 */
#ifndef QKD_KME_CALL014_H
#define QKD_KME_CALL014_H

#include <sys/queue.h>

#include "kme/env.h"
#include "kme/http_server.h"
#include "kme/journal.h"
#include "kme/metrics.h"
#include "kme/peers.h"
#include "kme/route014.h"
#include "kme/store.h"

struct held014;

TAILQ_HEAD(held014_list, held014);

struct service014 {
    const struct env *env;
    struct peers *peers;
    struct http_server *server;
    struct buf body; /* of the answer being written; wiped after each */
    struct held014_list held_claims, held_keys, held_requests;
};

struct call014 {
    struct service014 *service;
    struct http_exchange *exchange;
    const char *caller; /* SAE ID, from the certificate */
    struct route014 route;
    enum metric_hold hold;
};

/* Hands the call to its method. */
void call014_run(const struct call014 *call);

/* Answers 200 with service->body. */
void call014_answer(const struct call014 *call);

/* Answers with keys, and counts them as delivered in this role. */
void call014_answer_keys(const struct call014 *call, enum metric_role role,
                         struct etsi014_container *container);

/* Answers with the Error object; 401 has no body (clause 5.1, open question 6). */
void call014_refuse(const struct call014 *call, const struct etsi014_error *error);

/* Notes each key that the call was given. */
void call014_note_keys(const struct call014 *call, enum journal_event event,
                       const struct etsi014_container *container);

/* The SAE went away before its held call was answered. */
void call014_aborted(const struct call014 *call);

/* status and enc_keys, for initiators. */
void status014(const struct call014 *call);
void reserve014(const struct call014 *call);

/* The same when it is known what is asked for. False, and no answer: it may wait, and should. */
bool reserve014_asked(const struct call014 *call, const struct etsi014_key_request *asked,
                      bool may_wait);

/* Waits for blocks to be opened, up to hold_ms. False when out of memory. */
bool held_request014(const struct call014 *call, const struct etsi014_key_request *asked);

/* Blocks became usable; arg is the struct service014. */
void held_request014_stocked(void *arg);

/* dec_keys, for responders. Claims for keys whose assignment is on its way are held. */
void claim014(const struct call014 *call);
void claim014_assigned(void *service, const struct key_id *key_id);

/* The message of a refusal for want of key material. */
extern const char call014_no_material[];

#endif
