/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keys/site.c, keys/site_tasks.c and keys/site_ask.c share: the key servers of a site, their
 * health, and the conversations under way with them. Private to these three.
 */
#ifndef QKD_KEYS_SITE_PARTS_H
#define QKD_KEYS_SITE_PARTS_H

#include <stdatomic.h>
#include <sys/types.h>

#include "keys/breaker.h"
#include "keys/kme_list.h"
#include "keys/site.h"

static const int64_t SITE_NS_PER_MS = 1000000;

/* A conversation under way. */
struct task {
    void *conversation;
    size_t number; /* of reservations; 0: a probe */
    pid_t owner;
    int64_t begun_ns;
    uint64_t progress; /* of the conversation, and when it grew */
    int64_t moved_ns;
};

struct member {
    const char *url;
    const struct endpoint *endpoint;
    void *state;
    struct breaker *breaker;
    atomic_bool failing; /* as the log was told */
    /* Who looks at `task`: a thread of this process, or 0. A process that was forked while
     * another thread looked takes over what its parent held. */
    _Atomic(pid_t) holder;
    struct task *task;
};

struct site {
    const struct source_ops *ops;
    const struct log *log;
    int timeout_ms;
    _Atomic(int64_t) asked_ns; /* when it was asked last */
    size_t count;
    struct member members[KME_LIST_MAX];
};

/* --- keys/site.c --- */

/* What a question or a conversation tells about the health of a key server. `has_waited`: somebody
 * was kept waiting; `proves`: success proves that it answers. */
void site_note(struct member *member, const struct status *outcome, bool has_waited, bool proves);

/* The log hears of each change. */
void site_tell(const struct site *site, struct member *member, const struct status *outcome);

/* The task of a member may be looked at in between. Never waits: false when another thread is at
 * it. */
bool site_hold(const struct site *site, struct member *member);
void site_release(struct member *member);

/* For a forked child, and at exit; the member is held. */
void site_abandon_task(const struct site *site, struct member *member);

/* --- keys/site_tasks.c --- */

/* Begins a conversation with this key server unless one is under way, which finds out as well as
 * another would. */
bool site_begin_with(struct site *site, struct member *member, size_t number);

/* Goes on with the conversation of a member, which is held and has one. `advance` may be NULL for a
 * probe. */
void site_advance_member(struct site *site, size_t place, const struct deadline *deadline,
                         const struct advance *advance);

#endif
