/* SPDX-License-Identifier: Apache-2.0 */
/* A connection of ETSI GS QKD 004: frames in, calls one after the other, answers out. */
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "base/deadline.h"
#include "kme/call004.h"
#include "kme/config.h"
#include "kme/misbehave004.h"
#include "kme/sae_rules.h"
#include "kme/tls.h"

#define NS_PER_US INT64_C(1000)

enum {
    HANDSHAKE_MS = 10000,
    MS_PER_S = 1000,
    US_PER_S = 1000000,
    FRAME_MAX_BYTES = ETSI004_HEADER_BYTES + ETSI004_PAYLOAD_MAX_BYTES,
    INPUT_MAX_BYTES = 2 * FRAME_MAX_BYTES,
    ANSWERS_MAX_BYTES = 16384, /* that are written together */
    OUTPUT_MAX_BYTES = ANSWERS_MAX_BYTES + FRAME_MAX_BYTES,
    CALLS_PER_TURN = 64 /* then other connections have theirs */
};

const char *call004_caller(const struct call004 *call)
{
    const struct connection004 *connection = call->connection;
    const struct env *env = connection->service->env;
    char why[SAE_RULES_WHY_BYTES];
    const char *sae = sae_rules_find(env->config, connection->identity, why);

    if (sae != NULL)
        metrics_saw_sae(env->metrics, sae, call->since_ns);
    return sae;
}

struct stream004 *call004_stream(const struct call004 *call, const struct key_id *id)
{
    return catalogue004_find(&call->connection->service->peers->catalogue, id);
}

void call004_set_timeout(struct call004 *call, uint32_t timeout_ms)
{
    const struct policy004 *policy = policy004_of(call->connection->service->env->config);

    call->deadline_ns = monotonic_ns() + (int64_t)policy004_wait_ms(policy, timeout_ms) * US_PER_S;
}

bool call004_time_is_up(const struct call004 *call)
{
    return monotonic_ns() >= call->deadline_ns;
}

void call004_wait(struct call004 *call, struct stream004 *stream, int64_t retry_ns)
{
    int64_t until_ns = retry_ns < call->deadline_ns ? retry_ns : call->deadline_ns;
    int64_t wait_us = (until_ns - monotonic_ns()) / NS_PER_US + 1;
    struct timeval wait;

    if (wait_us < 1)
        wait_us = 1;
    wait = (struct timeval){wait_us / US_PER_S, wait_us % US_PER_S};
    call->waiting = true;
    call->hold = ANSWERED_AFTER_HOLD;
    stream004_wait(stream, &call->waiter);
    event_add(call->waiter.wake, &wait);
}

static void stop_waiting(struct call004 *call)
{
    waiter004_end(&call->waiter);
    event_del(call->waiter.wake);
    call->waiting = false;
}

/* Out of a callback of the event loop the answer is written at once, and the frames behind the
 * call have their turn. */
static void answered(struct call004 *call, const struct call004_result *result, size_t begin)
{
    struct connection004 *connection = call->connection;
    struct metrics *metrics = connection->service->env->metrics;

    stop_waiting(call);
    if (misbehave004_drops(call, begin))
        connection->ending = true;
    else if (!connection->advancing)
        stream_flush(connection->stream);
    metrics->requests004[call->kind][result->outcome]++;
    call004_note(call, result);
    histogram_add(&metrics->durations004[call->kind][call->hold], monotonic_ns() - call->since_ns);
    if (!connection->advancing && !connection->ending)
        stream_resume(connection->stream);
}

static size_t output_bytes(const struct call004 *call)
{
    return stream_output(call->connection->stream)->length;
}

/* There will be no answer. */
static void give_up(const struct call004 *call, unsigned outcome)
{
    const struct call004_result result = {outcome, NULL, 0};

    call->connection->service->env->metrics->requests004[call->kind][outcome]++;
    call004_note(call, &result);
}

void call004_answer_open(struct call004 *call, const struct etsi004_open_answer *answer)
{
    const struct call004_result result = {
        answer->outcome, key_id_is_zero(&answer->stream_id) ? NULL : &answer->stream_id, 0};
    size_t begin = output_bytes(call);

    misbehave004_put_open(call, answer);
    answered(call, &result, begin);
}

void call004_answer_key(struct call004 *call, const struct etsi004_key_answer *answer)
{
    const struct call004_result result = {
        answer->outcome, NULL, answer->outcome == ETSI004_SUCCESS ? answer->key->size_bytes : 0};
    size_t begin = output_bytes(call);

    misbehave004_put_key(call, answer);
    answered(call, &result, begin);
}

void call004_answer_close(struct call004 *call, enum etsi004_outcome outcome)
{
    const struct call004_result result = {outcome, NULL, 0};
    size_t begin = output_bytes(call);

    etsi004_close_answer_put(stream_output(call->connection->stream), call->profile, call->version,
                             outcome);
    answered(call, &result, begin);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    static void (*const again[])(struct call004 *) = {
        [CALL004_OPEN_CONNECT] = open004_again,
        [CALL004_GET_KEY] = get_key004_again,
    };
    struct call004 *call = arg;

    (void)fd;
    (void)what;
    if (call->delay == DELAY004_ON) {
        call->delay = DELAY004_OVER;
        stream_resume(call->connection->stream);
    } else if (call->waiting) {
        again[call->kind](call);
    }
}

static bool take_open(struct call004 *call, const struct etsi004_frame *frame)
{
    struct etsi004_open open;

    if (!etsi004_open_parse(frame, &call->profile, &open))
        return false;
    call->id = open.stream_id;
    if (!misbehave004_refuses(call))
        open004(call, &open);
    return true;
}

static bool take_get_key(struct call004 *call, const struct etsi004_frame *frame)
{
    struct etsi004_get_key get_key;

    if (!etsi004_get_key_parse(frame, &call->profile, &get_key))
        return false;
    call->id = get_key.stream_id;
    call->index = get_key.index;
    call->metadata_bytes = get_key.metadata_bytes;
    if (!misbehave004_refuses(call))
        get_key004(call);
    return true;
}

static bool take_close(struct call004 *call, const struct etsi004_frame *frame)
{
    if (!etsi004_close_parse(frame, &call->id))
        return false;
    if (!misbehave004_refuses(call))
        close004(call);
    return true;
}

static void begin_call(struct call004 *call)
{
    call->hold = ANSWERED_AT_ONCE;
    call->since_ns = monotonic_ns();
}

/* False for what is no call: it deserves no answer (open question 48). */
static bool take_frame(struct connection004 *connection, const struct etsi004_frame *frame)
{
    static const struct {
        uint8_t service;
        enum metric_call004 kind;
        bool (*take)(struct call004 *, const struct etsi004_frame *);
    } services[] = {
        {ETSI004_OPEN_CONNECT, CALL004_OPEN_CONNECT, take_open},
        {ETSI004_GET_KEY, CALL004_GET_KEY, take_get_key},
        {ETSI004_CLOSE, CALL004_CLOSE, take_close},
    };
    struct call004 *call = &connection->call;

    if (!connection->spoke)
        connection->profile = etsi004_profile_of(frame->version);
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        if (services[i].service != frame->service)
            continue;
        call->kind = services[i].kind;
        if (call->delay != DELAY004_OVER)
            begin_call(call);
        call->version = frame->version;
        call->profile = connection->profile;
        if (misbehave004_delays(call))
            return true;
        if (!services[i].take(call, frame)) {
            give_up(call, OUTCOME004_MALFORMED);
            return false;
        }
        connection->profile = call->profile;
        connection->spoke = true;
        return true;
    }
    return false;
}

static void end(struct connection004 *connection, const char *why)
{
    log_line(connection->service->env->log, LOG_LEVEL_INFO,
             "an ETSI 004 connection of '%s' is closed: %s", identity_text(connection->identity),
             why);
    connection->ending = true;
    stream_finish(connection->stream);
}

/* Takes the next frame. False when there is none, or none is to be taken now. */
static bool take_next(struct connection004 *connection, struct buf *input)
{
    struct etsi004_frame frame;

    if (connection->call.waiting || connection->call.delay == DELAY004_ON || connection->ending ||
        stream_backlog_bytes(connection->stream) > ANSWERS_MAX_BYTES)
        return false;
    switch (etsi004_frame_take(input, &frame)) {
    case ETSI004_INCOMPLETE:
        return false;
    case ETSI004_TOO_LARGE:
        end(connection, "a message is larger than its limit");
        return false;
    case ETSI004_COMPLETE:
        break;
    }
    if (!take_frame(connection, &frame)) {
        end(connection, "a message is malformed, or of an unknown service");
        return false;
    }
    if (connection->call.delay == DELAY004_ON)
        return false; /* the frame is looked at again */
    buf_consume(input, ETSI004_HEADER_BYTES + frame.payload_bytes);
    return true;
}

static void on_received(void *arg, struct buf *input)
{
    struct connection004 *connection = arg;
    int left = CALLS_PER_TURN;

    connection->advancing = true;
    while (left > 0 && take_next(connection, input))
        left--;
    connection->advancing = false;
    if (connection->ending)
        return;
    stream_flush(connection->stream);
    if (left == 0)
        stream_resume(connection->stream);
}

static void on_opened(void *arg, SSL *tls)
{
    struct connection004 *connection = arg;

    const char *why;

    connection->identity = identity_read(tls, &why);
    if (connection->identity == NULL)
        log_line(connection->service->env->log, LOG_LEVEL_INFO,
                 "an ETSI 004 connection belongs to nobody: %s", why);
    metrics_connected(connection->service->env->metrics, API_004, SSL_session_reused(tls) == 1);
}

static void on_drained(void *arg)
{
    struct connection004 *connection = arg;

    stream_resume(connection->stream);
}

static void on_closed(void *arg, const char *reason)
{
    struct connection004 *connection = arg;

    if (reason[0] != '\0')
        log_line(connection->service->env->log, LOG_LEVEL_DEBUG,
                 "an ETSI 004 connection of '%s' ended: %s", identity_text(connection->identity),
                 reason);
    connection004_free(connection);
}

static const struct stream_events events = {on_opened, on_received, on_drained, on_closed};

void connection004_free(struct connection004 *connection)
{
    struct call004 *call = &connection->call;

    if (call->waiting || call->delay == DELAY004_ON)
        give_up(call, OUTCOME004_ABORTED);
    if (call->waiter.wake != NULL) {
        stop_waiting(call);
        event_free(call->waiter.wake);
    }
    attachment004_end(&connection->attachment);
    LIST_REMOVE(connection, next);
    connection->service->occupancy.count--;
    stream_free(connection->stream);
    identity_free(connection->identity);
    OPENSSL_free(connection);
}

void connection004_new(struct service004 *service, int fd)
{
    const struct kme_config *config = service->env->config;
    /* A call may wait for as long as the largest Timeout without a word. */
    struct stream_limits limits = {
        INPUT_MAX_BYTES, OUTPUT_MAX_BYTES, HANDSHAKE_MS,
        (int)(config->limits.idle_timeout_s * MS_PER_S + config->limits.max_timeout_ms)};
    struct connection004 *connection = OPENSSL_zalloc(sizeof(*connection));
    SSL *tls = connection == NULL ? NULL : tls_new(service->env, TLS_SERVER_004);

    if (tls == NULL) {
        OPENSSL_free(connection);
        close(fd);
        return;
    }
    connection->service = service;
    connection->call.connection = connection;
    address_of_peer(fd, connection->remote);
    LIST_INIT(&connection->attachment.streams);
    LIST_INSERT_HEAD(&service->connections, connection, next);
    service->occupancy.count++;
    connection->call.waiter.wake = evtimer_new(service->env->base, on_wake, &connection->call);
    connection->stream =
        stream_new(service->env->base, fd, tls, STREAM_ACCEPTED, &limits, &events, connection);
    if (connection->stream == NULL || connection->call.waiter.wake == NULL)
        connection004_free(connection);
}
