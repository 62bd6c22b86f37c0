/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pre-distributed keys behind two verbs. An initiator reserves a key and names it to its peer
 * by a reference; the responder claims the key of a reference. Each end gets a key once.
 *
 * The interface hides which standard is spoken, which of the site's key servers answers, and
 * whether a reservation was made a while ago. A reference is (kind, ID, index): a 014 key_ID has
 * index 0. With 004 a reservation opens a stream and its key is read when it is collected.
 *
 * Thread-safe; no thread waits for another. A forked child shares no connection, and no
 * key that was not yet named to a peer, with its parent.
 */
#ifndef QKD_KEYS_SOURCE_H
#define QKD_KEYS_SOURCE_H

#include "base/deadline.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/status.h"
#include "keys/guard.h"
#include "keys/key_ref.h"
#include "keys/settings.h"

struct source;

/* Borrows settings without fault, and the log. No network. NULL when out of memory. */
struct source *source_new(const struct settings *settings, const struct log *log);
void source_free(struct source *source);

/* Which references this source hands out and takes. */
enum key_ref_kind source_ref_kind(const struct source *source);

/* A turn for one reservation (ref NULL), or for the claim of this reference, within
 * max-keys-per-second, before it is made. Waits for it for at most half of the time; false, with
 * OUTCOME_EXHAUSTED, when it would take longer. A reference that will be refused takes none. */
bool source_turn(struct source *source, const struct key_ref *ref, const struct deadline *deadline,
                 struct status *status);

/* False when every key server is left out because it kept callers waiting, which is known without
 * asking anyone; goes on with the probes under way. Before work that would be in vain. */
bool source_is_open(struct source *source, struct status *status);

/* Makes sure, at no cost in keys, that a key server can be reached or is not needed: whoever calls
 * this first can tell trouble of ours from a peer's bad reference. */
bool source_prepare(struct source *source, enum guard_use use, const struct deadline *deadline,
                    struct status *status);

/* A key, and the URL of the key server that it came from, which lives as long as the source. */
struct delivery {
    struct secret *key; /* owned by the caller */
    const char *kme;
};

/* An initiator's side of one key, owned by one thread at a time. */
struct reservation;

bool source_reserve(struct source *source, const struct deadline *deadline,
                    struct reservation **reservation, struct status *status);

const struct key_ref *reservation_ref(const struct reservation *reservation);

/* The peer has answered with this reference: the reservation has led somewhere, and its turn is
 * given back. */
void reservation_answered(struct reservation *reservation);

/* The key, once. */
bool reservation_collect(struct reservation *reservation, const struct deadline *deadline,
                         struct delivery *delivery, struct status *status);

/* A key that was not collected is lost: it is wiped, and the loss is logged. NULL is allowed. */
void reservation_free(struct reservation *reservation);

/* The responder's side: the key of a reference that the peer named. Asks each key server of the
 * site for it until one knows it; an ID that none knew is not asked for again for a while. */
bool source_claim(struct source *source, const struct key_ref *ref, const struct deadline *deadline,
                  struct delivery *delivery, struct status *status);

#endif
