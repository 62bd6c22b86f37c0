/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/shelf_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/deadline.h"

enum {
    BATCH_MAX_BYTES = 1048576, /* of one sync; a transaction is never cut */
    QUIET_MS = 1000,           /* without an operation, and the log is scrubbed */
    SCRUB_MS = 5000,           /* after a taking at the latest */
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000
};

struct shelf_writer {
    /* Of the thread. */
    struct shelf_file *file;
    int wake_fd;
    int64_t last_ns, first_take_ns; /* since the last scrub; 0: none */

    pthread_t thread;

    /* Of both, under the mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t news;
    struct shelf_queue queue;
    struct shelf_writer_state state; /* queued_bytes: of what is being written */
    bool ending;
};

static bool do_batch(struct shelf_writer *writer, const struct shelf_queue *batch,
                     struct status *status)
{
    bool done = shelf_file_begin(writer->file, status);

    for (const struct shelf_operation *one = batch->first; done && one != NULL; one = one->next) {
        if (one->action == SHELF_PUT) {
            done = shelf_file_put(writer->file, &one->item, status);
            continue;
        }
        done = shelf_file_take(writer->file, &one->item, status);
        if (writer->first_take_ns == 0)
            writer->first_take_ns = monotonic_ns();
    }
    writer->last_ns = monotonic_ns();
    return done && shelf_file_commit(writer->file, status);
}

/* When the log wants a scrub; INT64_MAX while there is nothing in it. */
static int64_t scrub_due_ns(const struct shelf_writer *writer)
{
    int64_t quiet_ns = writer->last_ns + (int64_t)QUIET_MS * NS_PER_MS;
    int64_t latest_ns = writer->first_take_ns + (int64_t)SCRUB_MS * NS_PER_MS;
    uint64_t log_bytes = shelf_file_log_bytes(writer->file);

    if (log_bytes == 0)
        return INT64_MAX;
    if (log_bytes > SHELF_LOG_MAX_BYTES)
        return 0;
    return writer->first_take_ns != 0 && latest_ns < quiet_ns ? latest_ns : quiet_ns;
}

static bool scrub_if_due(struct shelf_writer *writer, struct status *status)
{
    if (scrub_due_ns(writer) > monotonic_ns())
        return true;
    writer->first_take_ns = 0;
    return shelf_file_scrub(writer->file, status);
}

static void wake(const struct shelf_writer *writer)
{
    const uint64_t one = 1;

    while (write(writer->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
}

/* Waits for work, for the time of a scrub, or for the end. With the mutex held. */
static void wait_for_news(struct shelf_writer *writer)
{
    int64_t due_ns = scrub_due_ns(writer);
    const struct timespec due = {due_ns / NS_PER_S, due_ns % NS_PER_S};

    while (writer->queue.first == NULL && !writer->ending && due_ns > monotonic_ns()) {
        if (due_ns == INT64_MAX)
            pthread_cond_wait(&writer->news, &writer->mutex);
        else
            pthread_cond_timedwait(&writer->news, &writer->mutex, &due);
    }
}

/* Tells the other threads how a batch or a scrub ended. */
static void publish(struct shelf_writer *writer, uint64_t ticket, const struct status *status)
{
    struct shelf_file_counts counts;

    shelf_file_count(writer->file, &counts);
    pthread_mutex_lock(&writer->mutex);
    writer->state.queued_bytes = 0;
    writer->state.counts = counts;
    if (status->outcome != OUTCOME_OK) {
        writer->state.failure = *status;
        shelf_queue_wipe(&writer->queue);
    } else if (ticket != 0) {
        writer->state.settled = ticket;
        writer->state.transactions++;
    }
    pthread_mutex_unlock(&writer->mutex);
    if (ticket != 0 || status->outcome != OUTCOME_OK)
        wake(writer);
}

static void write_batch(struct shelf_writer *writer, struct shelf_queue *batch,
                        struct status *status)
{
    uint64_t ticket = batch->last->ticket;

    do_batch(writer, batch, status);
    shelf_queue_wipe(batch);
    publish(writer, ticket, status);
}

/* The next batch, or an empty one when a scrub is due. False at the end. */
static bool next_batch(struct shelf_writer *writer, struct shelf_queue *batch)
{
    bool more;

    pthread_mutex_lock(&writer->mutex);
    wait_for_news(writer);
    *batch = shelf_queue_cut(&writer->queue, BATCH_MAX_BYTES);
    writer->state.queued_bytes = batch->bytes;
    more = batch->first != NULL || !writer->ending;
    pthread_mutex_unlock(&writer->mutex);
    return more;
}

static void *write_all(void *arg)
{
    struct shelf_writer *writer = arg;
    struct status status = STATUS_INIT;
    struct shelf_queue batch;

    while (status.outcome == OUTCOME_OK && next_batch(writer, &batch)) {
        if (batch.first != NULL)
            write_batch(writer, &batch, &status);
        if (status.outcome == OUTCOME_OK && !scrub_if_due(writer, &status))
            publish(writer, 0, &status);
    }
    return NULL;
}

static bool init_locks(struct shelf_writer *writer)
{
    pthread_condattr_t monotonic;
    bool done;

    if (pthread_mutex_init(&writer->mutex, NULL) != 0)
        return false;
    pthread_condattr_init(&monotonic);
    done = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(&writer->news, &monotonic) == 0;
    pthread_condattr_destroy(&monotonic);
    if (!done)
        pthread_mutex_destroy(&writer->mutex);
    return done;
}

static void free_all(struct shelf_writer *writer)
{
    shelf_queue_wipe(&writer->queue);
    pthread_cond_destroy(&writer->news);
    pthread_mutex_destroy(&writer->mutex);
    OPENSSL_free(writer);
}

struct shelf_writer *shelf_writer_start(struct shelf_file *file, int wake_fd)
{
    struct shelf_writer *writer = OPENSSL_zalloc(sizeof(*writer));
    sigset_t all, before;
    bool runs;

    if (writer == NULL || !init_locks(writer)) {
        OPENSSL_free(writer);
        return NULL;
    }
    writer->file = file;
    writer->wake_fd = wake_fd;
    writer->last_ns = monotonic_ns();
    shelf_file_count(file, &writer->state.counts);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    runs = pthread_create(&writer->thread, NULL, write_all, writer) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (runs)
        return writer;
    free_all(writer);
    return NULL;
}

void shelf_writer_stop(struct shelf_writer *writer, struct shelf_writer_state *state)
{
    pthread_mutex_lock(&writer->mutex);
    writer->ending = true;
    pthread_cond_signal(&writer->news);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
    *state = writer->state;
    free_all(writer);
}

void shelf_writer_submit(struct shelf_writer *writer, struct shelf_queue *queue)
{
    pthread_mutex_lock(&writer->mutex);
    if (writer->state.failure.outcome == OUTCOME_OK)
        shelf_queue_move(&writer->queue, queue);
    pthread_cond_signal(&writer->news);
    pthread_mutex_unlock(&writer->mutex);
    shelf_queue_wipe(queue);
}

void shelf_writer_look(struct shelf_writer *writer, struct shelf_writer_state *state)
{
    pthread_mutex_lock(&writer->mutex);
    *state = writer->state;
    state->queued_bytes += writer->queue.bytes;
    pthread_mutex_unlock(&writer->mutex);
}
