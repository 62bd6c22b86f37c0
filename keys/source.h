/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pre-distributed keys behind two verbs. An initiator reserves a key and names it to its peer
 * by a reference; the responder claims the key of a reference. Each end gets a key once.
 *
 * The interface hides which standard is spoken. A reference is (kind, ID, index): a 014 key_ID
 * has index 0. With 004 a reservation opens a stream and its key is read when it is collected;
 * a source that knows keys in advance answers without any key server.
 *
 * Thread-safe; no lock is held across the network. A forked child shares no connection, and no
 * key that was not yet named to a peer, with its parent.
 */
#ifndef QKD_KEYS_SOURCE_H
#define QKD_KEYS_SOURCE_H

#include <stdint.h>

#include "base/deadline.h"
#include "base/key_id.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/status.h"
#include "keys/key_ref.h"
#include "keys/settings.h"

struct source;

/* Borrows settings without fault, and the log. No network. NULL when out of memory. */
struct source *source_new(const struct settings *settings, const struct log *log);
void source_free(struct source *source);

/* Which references this source hands out and takes. */
enum key_ref_kind source_ref_kind(const struct source *source);

/* Makes sure that the key server can be reached, at no cost in keys: whoever calls this first
 * can tell trouble of ours from a peer's bad reference. */
bool source_prepare(struct source *source, const struct deadline *deadline, struct status *status);

/* An initiator's side of one key, owned by one thread at a time. */
struct reservation;

bool source_reserve(struct source *source, const struct deadline *deadline,
                    struct reservation **reservation, struct status *status);

const struct key_ref *reservation_ref(const struct reservation *reservation);

/* The key, once; owned by the caller. */
bool reservation_collect(struct reservation *reservation, const struct deadline *deadline,
                         struct secret **key, struct status *status);

/* A key that was not collected is lost: it is wiped, and the loss is logged. NULL is allowed. */
void reservation_free(struct reservation *reservation);

/* The responder's side: the key of a reference that the peer named; owned by the caller. */
bool source_claim(struct source *source, const struct key_ref *ref, const struct deadline *deadline,
                  struct secret **key, struct status *status);

#endif
