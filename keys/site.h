/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key servers of our site, in the order of the setting `kme`. A question goes to the first one
 * that is healthy, and on to the next within the same time budget when it gets no answer there;
 * one that kept its callers waiting is left out until a probe, which nobody waits for, finds it
 * answering again (keys/breaker.h).
 *
 * Thread-safe; no thread waits for another. A forked child begins with all of them healthy
 * and shares no connection and no conversation with its parent.
 */
#ifndef QKD_KEYS_SITE_H
#define QKD_KEYS_SITE_H

#include "keys/source_ops.h"

struct site;

/* Borrows all three. No network. NULL when out of memory. */
struct site *site_new(const struct settings *settings, const struct source_ops *ops,
                      const struct log *log);

/* Sends nothing: this runs in forked children and at exit. */
void site_free(struct site *site);

/* One question to one key server, whose state this is. */
struct question {
    bool (*ask)(const struct source_ops *ops, void *state, void *argument,
                const struct deadline *deadline, struct status *status);
    void *argument;
    bool proves;      /* success proves that the key server answers */
    bool of_stranger; /* a stranger chose what is asked for, and maybe how long a refusal takes */
    bool may_pass; /* set: one of them does not know the key, or is empty, and may not be so soon */
};

/* Asks one key server after the other until one has the answer, and tells which. A refusal takes
 * the question to the next one, too: what one does not have, another may. On false *status has
 * what each of them said; OUTCOME_PEER when all said that they do not know the peer's key. */
bool site_ask(struct site *site, struct question *question, const struct deadline *deadline,
              size_t *member, struct status *status);

/* The same for what only one key server can answer. */
bool site_ask_one(struct site *site, size_t member, struct question *question,
                  const struct deadline *deadline, struct status *status);

/* False, and *status as from site_ask, when that would ask nobody: all key servers are left out,
 * and it is time for no probe. */
bool site_is_open(const struct site *site, struct status *status);

/* Whether this key server is not left out; whether there is one that is not. */
bool site_has(const struct site *site, size_t member);
bool site_has_any(const struct site *site);

/* The state of one key server, for what only this one can do, and its URL. */
void *site_state(const struct site *site, size_t member);
const char *site_url(const struct site *site, size_t member);

/* What came of the conversations that site_advance went on with. */
struct advance {
    /* A reservation that was asked for at that time. The key is the taker's. */
    void (*take)(void *argument, size_t member, const struct key_ref *ref, struct secret *key,
                 int64_t asked_ns);
    /* One about reservations is over; *failure is OK when it went well. */
    void (*over)(void *argument, size_t asked, const struct status *failure);
    void *argument;
};

/* Goes on with the conversations under way as far as the deadline allows, but does not wait for
 * probes. Whether one about reservations is still open. */
bool site_advance(struct site *site, const struct deadline *deadline,
                  const struct advance *advance);

/* Begins a conversation about `number` reservations with the first healthy key server, unless it
 * has one already. False when none was begun. */
bool site_begin(struct site *site, size_t number);

#endif
