/* SPDX-License-Identifier: Apache-2.0 */
/* The side of a shelf that the event loop sees. */
#include "kme/shelf.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "kme/config.h"
#include "kme/shelf_writer.h"

struct subscriber {
    const struct shelf_events *events; /* NULL: has left */
    void *arg;
};

struct shelf {
    const struct env *env;
    struct shelf_file *file; /* the writer's once there is one */
    struct shelf_writer *writer;
    int wake_fd; /* the writer wakes the event loop */
    struct event *event;
    uint64_t ticket;           /* the last one given */
    uint64_t told;             /* the highest that subscribers know to be settled */
    unsigned depth;            /* of shelf_begin */
    bool refused;              /* an operation of this transaction */
    struct shelf_queue staged; /* this transaction */
    struct subscriber *subscribers;
    size_t subscriber_count, subscriber_room;
    bool telling, failure_told;
};

static void look(struct shelf *shelf, struct shelf_writer_state *state)
{
    if (shelf->writer != NULL) {
        shelf_writer_look(shelf->writer, state);
        return;
    }
    memset(state, 0, sizeof(*state));
    shelf_file_count(shelf->file, &state->counts);
}

static void forget_left(struct shelf *shelf)
{
    size_t kept = 0;

    for (size_t i = 0; i < shelf->subscriber_count; i++)
        if (shelf->subscribers[i].events != NULL)
            shelf->subscribers[kept++] = shelf->subscribers[i];
    shelf->subscriber_count = kept;
}

static void tell(struct shelf *shelf, const struct status *failure)
{
    shelf->telling = true;
    for (size_t i = 0; i < shelf->subscriber_count; i++) {
        const struct subscriber one = shelf->subscribers[i];

        if (one.events == NULL)
            continue;
        if (failure != NULL && one.events->failed != NULL)
            one.events->failed(one.arg, failure);
        if (failure == NULL && one.events->settled != NULL)
            one.events->settled(one.arg, shelf->told);
    }
    shelf->telling = false;
    forget_left(shelf);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct shelf *shelf = arg;
    struct shelf_writer_state state;
    uint64_t count;

    (void)what;
    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
        continue;
    look(shelf, &state);
    if (state.settled > shelf->told) {
        shelf->told = state.settled;
        tell(shelf, NULL);
    }
    if (state.failure.outcome != OUTCOME_OK && !shelf->failure_told) {
        shelf->failure_told = true;
        log_line(shelf->env->log, LOG_LEVEL_ERROR, "%s: nothing is stored any more",
                 state.failure.text);
        tell(shelf, &state.failure);
    }
}

static bool watch(struct shelf *shelf, struct status *status)
{
    shelf->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (shelf->wake_fd >= 0)
        shelf->event =
            event_new(shelf->env->base, shelf->wake_fd, EV_READ | EV_PERSIST, on_wake, shelf);
    return (shelf->event != NULL && event_add(shelf->event, NULL) == 0) ||
           status_fail(status, OUTCOME_INTERNAL, "cannot watch the store");
}

struct shelf *shelf_open(const struct env *env, const char *path, const char *key_file,
                         struct status *status)
{
    struct shelf *shelf = OPENSSL_zalloc(sizeof(*shelf));

    if (shelf == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for the store");
        return NULL;
    }
    shelf->env = env;
    shelf->wake_fd = -1;
    shelf->file = shelf_file_open(env->libctx, env->config->kme_id, path, key_file, status);
    if (shelf->file != NULL && watch(shelf, status))
        return shelf;
    shelf_close(shelf, status);
    return NULL;
}

bool shelf_close(struct shelf *shelf, struct status *status)
{
    struct shelf_writer_state last = {.failure = STATUS_INIT};
    bool done;

    if (shelf == NULL)
        return true;
    if (shelf->writer != NULL)
        shelf_writer_stop(shelf->writer, &last);
    done = last.failure.outcome == OUTCOME_OK ||
           status_fail(status, last.failure.outcome, "%s", last.failure.text);
    done = shelf_file_close(shelf->file, status) && done;
    shelf_queue_wipe(&shelf->staged);
    if (shelf->event != NULL)
        event_free(shelf->event);
    if (shelf->wake_fd >= 0)
        close(shelf->wake_fd);
    OPENSSL_free(shelf->subscribers);
    OPENSSL_free(shelf);
    return done;
}

bool shelf_subscribe(struct shelf *shelf, const struct shelf_events *events, void *arg)
{
    enum { ROOM = 8 };

    if (shelf->subscriber_count == SHELF_SUBSCRIBERS_MAX)
        return false;
    if (shelf->subscriber_count == shelf->subscriber_room) {
        size_t room = shelf->subscriber_room + ROOM;
        struct subscriber *grown = OPENSSL_realloc(shelf->subscribers, room * sizeof(*grown));

        if (grown == NULL)
            return false;
        shelf->subscribers = grown;
        shelf->subscriber_room = room;
    }
    shelf->subscribers[shelf->subscriber_count++] = (struct subscriber){events, arg};
    return true;
}

void shelf_unsubscribe(struct shelf *shelf, void *arg)
{
    for (size_t i = 0; i < shelf->subscriber_count; i++)
        if (shelf->subscribers[i].arg == arg)
            shelf->subscribers[i].events = NULL;
    if (!shelf->telling) /* else tell() walks over them, and forgets them at its end */
        forget_left(shelf);
}

static bool has_room(struct shelf *shelf, size_t more_bytes)
{
    struct shelf_writer_state state;

    if (shelf->writer == NULL)
        shelf->writer = shelf_writer_start(shelf->file, shelf->wake_fd);
    if (shelf->writer == NULL)
        return false;
    look(shelf, &state);
    return state.failure.outcome == OUTCOME_OK &&
           state.queued_bytes + shelf->staged.bytes + more_bytes <= SHELF_QUEUE_MAX_BYTES;
}

/* Takes the operation over. */
static uint64_t stage(struct shelf *shelf, struct shelf_operation *operation)
{
    uint64_t ticket = 0;

    shelf_begin(shelf);
    if (operation == NULL || !has_room(shelf, operation->size_bytes)) {
        shelf->refused = true;
        shelf_operation_free(operation);
    } else {
        ticket = ++shelf->ticket;
        operation->ticket = ticket;
        shelf_queue_add(&shelf->staged, operation);
    }
    shelf_end(shelf);
    return ticket;
}

uint64_t shelf_put(struct shelf *shelf, enum shelf_kind kind, const char *peer,
                   const struct key_id *id, const void *octets, size_t length)
{
    return stage(shelf, shelf_operation_new(SHELF_PUT, kind, peer, id, octets, length));
}

uint64_t shelf_take(struct shelf *shelf, enum shelf_kind kind, const char *peer,
                    const struct key_id *id)
{
    return stage(shelf, shelf_operation_new(SHELF_TAKE, kind, peer, id, NULL, 0));
}

void shelf_begin(struct shelf *shelf)
{
    if (shelf->depth++ == 0)
        shelf->refused = false;
}

uint64_t shelf_end(struct shelf *shelf)
{
    bool done = !shelf->refused && shelf->staged.first != NULL;

    if (--shelf->depth > 0)
        return done ? shelf->ticket : 0;
    if (!done) {
        shelf_queue_wipe(&shelf->staged);
        return 0;
    }
    shelf->staged.last->ends = true;
    shelf_writer_submit(shelf->writer, &shelf->staged);
    return shelf->ticket;
}

uint64_t shelf_settled(const struct shelf *shelf)
{
    return shelf->told;
}

bool shelf_load(struct shelf *shelf, enum shelf_kind kind, const char *peer,
                bool (*each)(void *arg, const char *peer, const struct key_id *id,
                             const uint8_t *octets, size_t length),
                void *arg, struct status *status)
{
    struct shelf_file_counts before, after;
    bool done;

    if (shelf->writer != NULL)
        return status_fail(status, OUTCOME_INTERNAL, "the store is read after it was written to");
    shelf_file_count(shelf->file, &before);
    done = shelf_file_load(shelf->file, (int)kind, peer, each, arg, status);
    shelf_file_count(shelf->file, &after);
    if (after.damaged_items > before.damaged_items)
        log_line(shelf->env->log, LOG_LEVEL_ERROR,
                 "%llu damaged items of the store were removed; they are lost",
                 (unsigned long long)(after.damaged_items - before.damaged_items));
    return done;
}

bool shelf_ok(struct shelf *shelf, struct status *status)
{
    struct shelf_writer_state state;

    look(shelf, &state);
    return state.failure.outcome == OUTCOME_OK ||
           status_fail(status, state.failure.outcome, "%s", state.failure.text);
}

void shelf_counts(struct shelf *shelf, struct shelf_counts *counts)
{
    struct shelf_writer_state state;

    look(shelf, &state);
    *counts = (struct shelf_counts){
        .items = state.counts.items,
        .file_bytes = state.counts.file_bytes,
        .queued_bytes = state.queued_bytes,
        .damaged_items = state.counts.damaged_items,
        .damaged_bytes = state.counts.damaged_bytes,
        .transactions = state.transactions,
    };
}
