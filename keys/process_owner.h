/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State that belongs to one process and that a forked child makes new when it first uses it,
 * without pthread_atfork (which would outlive the module that is unloaded) and without a lock.
 */
#ifndef QKD_KEYS_PROCESS_OWNER_H
#define QKD_KEYS_PROCESS_OWNER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

/* PID of the owner; negative while that process makes the state new. */
struct process_owner {
    _Atomic pid_t pid;
};

static inline void process_owner_init(struct process_owner *owner)
{
    atomic_init(&owner->pid, getpid());
}

/* Whether this process has made the state its own. */
static inline bool process_owner_is_us(const struct process_owner *owner)
{
    return atomic_load(&owner->pid) == getpid();
}

/* In a child the first thread that comes makes the state new with reset(state). False only for
 * other threads at that moment: they do without the state rather than wait. */
static inline bool process_owner_take(struct process_owner *owner, void (*reset)(void *),
                                      void *state)
{
    pid_t us = getpid(), seen = atomic_load(&owner->pid);

    if (seen == us)
        return true;
    if (seen == -us || !atomic_compare_exchange_strong(&owner->pid, &seen, -us))
        return seen == us;
    reset(state);
    atomic_store(&owner->pid, us);
    return true;
}

#endif
