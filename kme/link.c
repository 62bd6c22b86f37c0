/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/link_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "base/deadline.h"
#include "kme/config.h"
#include "kme/identity.h"
#include "kme/journal.h"
#include "kme/link_codec.h"
#include "kme/sae_rules.h"
#include "kme/shelf.h"
#include "kme/stream.h"
#include "kme/tls.h"

enum {
    REDIAL_FIRST_MS = 50,
    REDIAL_LAST_MS = 2000,
    HEARTBEAT_MS = 1000,
    SILENCE_MS = 5000, /* after which the peer is taken for gone */
    HANDSHAKE_MS = 5000,
    ACK_DELAY_MS = 2, /* many arrivals share one acknowledgement */
    INPUT_MAX_BYTES = 65536,
    OUTPUT_MAX_BYTES = 134217728
};

/* The inventory of a full store is written at once: the IDs, and less than an octet for each. */
_Static_assert(OUTPUT_MAX_BYTES > CONFIG_CAPACITY_MAX_BITS / BLOCK_BITS * (KEY_ID_BYTES + 1),
               "an inventory does not fit");

void link_after_ms(struct event *event, int ms)
{
    struct timeval after = {ms / 1000, ms % 1000 * 1000};

    event_add(event, &after);
}

static void plan_redial(struct link *link)
{
    if (!link_session_is_source(link->session))
        return;
    link_after_ms(link->redial, link->redial_ms);
    link->redial_ms = link->redial_ms * 2 < REDIAL_LAST_MS ? link->redial_ms * 2 : REDIAL_LAST_MS;
}

/* The first failure of a series is worth a line. */
static void tell_failure(struct link *link, const char *reason)
{
    log_line(link->env->log, link->told_failure ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
             "link to '%s': %s", link->peer->kme_id,
             reason[0] != '\0' ? reason : "closed by the other side");
    link->told_failure = true;
}

static void note(const struct link *link, enum journal_event event, const char *outcome)
{
    const struct journal_entry entry = {
        .event = event, .peer = link->peer->kme_id, .outcome = outcome};

    journal_note(link->env->journal, &entry);
}

static void note_down(struct link *link, const char *reason)
{
    log_line(link->env->log, LOG_LEVEL_WARN, "link to '%s' is down", link->peer->kme_id);
    link->since_ns = monotonic_ns();
    note(link, JOURNAL_LINK_DOWN, reason[0] != '\0' ? reason : "closed by the other side");
}

static void drop(struct connection *connection, const char *reason)
{
    struct link *link = connection->link;

    if (link->current == connection) {
        link->current = NULL;
        if (link_session_is_up(link->session))
            note_down(link, reason);
        link_session_disconnect(link->session);
        event_del(link->heartbeat);
        event_del(link->quantum_tick);
        event_del(link->acknowledge);
    }
    TAILQ_REMOVE(&link->connections, connection, next);
    stream_free(connection->stream);
    OPENSSL_free(connection);
}

void link_fail(struct connection *connection, const char *reason)
{
    struct link *link = connection->link;

    tell_failure(link, reason);
    drop(connection, reason);
    plan_redial(link);
}

static void greet(struct connection *connection)
{
    struct link *link = connection->link;

    if (link->current != NULL)
        drop(link->current, "the peer connected anew");
    link->current = connection;
    link_session_greet(link->session, stream_output(connection->stream));
    stream_flush(connection->stream);
    link_after_ms(link->heartbeat, HEARTBEAT_MS);
}

/* Of a connection that we have dialled. */
static void on_opened(void *arg, SSL *tls)
{
    struct connection *connection = arg;
    struct link *link = connection->link;
    const char *why;
    struct identity *identity = identity_read(tls, &why);

    if (sae_rules_is_peer(peer_config(link->env, link->peer), identity)) {
        greet(connection);
    } else {
        log_line(link->env->log, LOG_LEVEL_WARN, "link: the certificate of '%s' is not the peer's",
                 identity_text(identity));
        link_fail(connection, "the other side is not the peer");
    }
    identity_free(identity);
}

static void on_session_up(void *arg, bool resumed)
{
    struct link *link = arg;

    link->redial_ms = REDIAL_FIRST_MS;
    link->told_failure = false;
    memset(&link->sim, 0, sizeof(link->sim));
    if (link_session_is_source(link->session))
        link_after_ms(link->quantum_tick, LINK_QUANTUM_TICK_MS);
    log_line(link->env->log, LOG_LEVEL_INFO,
             "link to '%s' is up, %s; the quantum channel is SIMULATED", link->peer->kme_id,
             resumed ? "resumed" : "from the beginning");
    link->since_ns = monotonic_ns();
    note(link, JOURNAL_LINK_UP, NULL);
    if (link->streams != NULL)
        link->streams->up(link->streams_arg, resumed);
}

static void on_session_assigned(void *arg, const struct key_id *key_id)
{
    struct link *link = arg;

    if (link->keys != NULL)
        link->keys->assigned(link->keys_arg, key_id);
}

static void on_session_stream(void *arg, const struct frame *frame)
{
    struct link *link = arg;

    if (link->streams != NULL)
        link->streams->frame(link->streams_arg, frame);
}

static void on_session_stocked(void *arg)
{
    struct link *link = arg;

    if (link->keys != NULL)
        link->keys->stocked(link->keys_arg);
    if (link->streams != NULL)
        link->streams->stocked(link->streams_arg);
}

static const struct link_session_events session_events = {on_session_up, on_session_assigned,
                                                          on_session_stream, on_session_stocked};

/* False after a frame that ends the connection. */
static bool take_frames(struct connection *connection, struct buf *input, struct status *status)
{
    struct buf *out = stream_output(connection->stream);
    struct frame frame;
    enum link_parse result = LINK_PARSE_FRAME;
    size_t at = 0, used = 0;
    bool good = true;

    while (good) {
        result = link_parse(input->data + at, input->length - at, &frame, &used, status);
        if (result != LINK_PARSE_FRAME)
            break;
        at += used;
        good = link_session_take(connection->link->session, &frame, out, status);
        if (frame.type == FRAME_SIMULATED_QUANTUM)
            OPENSSL_cleanse(&frame, sizeof(frame));
    }
    buf_consume(input, at);
    return good && result != LINK_PARSE_BAD;
}

static void on_received(void *arg, struct buf *input)
{
    struct connection *connection = arg;
    struct link *link = connection->link;
    struct status status = STATUS_INIT;
    uint64_t heard = link_heard(link);

    if (!take_frames(connection, input, &status)) {
        link_fail(connection, status.text);
        return;
    }
    if (link->keys != NULL && link_heard(link) > heard)
        link->keys->told(link->keys_arg);
    stream_flush(connection->stream);
    if (link_session_owes_ack(link->session) && !event_pending(link->acknowledge, EV_TIMEOUT, NULL))
        link_after_ms(link->acknowledge, ACK_DELAY_MS);
}

static void on_drained(void *arg)
{
    (void)arg;
}

static void on_closed(void *arg, const char *reason)
{
    link_fail(arg, reason);
}

static const struct stream_events connection_events = {on_opened, on_received, on_drained,
                                                       on_closed};

struct stream *link_stream_new(const struct env *env, int fd, enum stream_start start,
                               const struct stream_events *events, void *arg)
{
    static const struct stream_limits limits = {INPUT_MAX_BYTES, OUTPUT_MAX_BYTES, HANDSHAKE_MS,
                                                SILENCE_MS};
    SSL *tls = tls_new(env, start == STREAM_DIALLED ? TLS_LINK_DIAL : TLS_LINK_LISTEN);

    if (tls == NULL) {
        close(fd);
        return NULL;
    }
    return stream_new(env->base, fd, tls, start, &limits, events, arg);
}

static struct connection *new_connection(struct link *link)
{
    struct connection *connection = OPENSSL_zalloc(sizeof(*connection));

    if (connection == NULL)
        return NULL;
    connection->link = link;
    TAILQ_INSERT_TAIL(&link->connections, connection, next);
    return connection;
}

/* Takes fd over. */
static bool dial(struct link *link, int fd)
{
    struct connection *connection = new_connection(link);

    if (connection == NULL) {
        close(fd);
        return false;
    }
    connection->stream =
        link_stream_new(link->env, fd, STREAM_DIALLED, &connection_events, connection);
    if (connection->stream != NULL)
        return true;
    drop(connection, "out of memory");
    return false;
}

bool link_listens(const struct link *link)
{
    return !link_session_is_source(link->session);
}

void link_accept(struct link *link, struct stream *stream)
{
    struct connection *connection = new_connection(link);

    if (connection == NULL) {
        stream_free(stream);
        return;
    }
    connection->stream = stream;
    stream_hand_over(stream, &connection_events, connection);
    greet(connection);
}

static void on_redial(evutil_socket_t ignored, short what, void *arg)
{
    struct link *link = arg;
    const struct address *to = &peer_config(link->env, link->peer)->connect;
    int fd = socket(to->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    (void)ignored;
    (void)what;
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (fd < 0 || (connect(fd, (const struct sockaddr *)&to->socket, to->socket_length) != 0 &&
                   errno != EINPROGRESS)) {
        tell_failure(link, strerror(errno));
        if (fd >= 0)
            close(fd);
        plan_redial(link);
    } else if (!dial(link, fd)) {
        tell_failure(link, "out of memory for a connection");
        plan_redial(link);
    }
}

static void on_acknowledge(evutil_socket_t ignored, short what, void *arg)
{
    struct link *link = arg;

    (void)ignored;
    (void)what;
    if (!link_session_is_talking(link->session))
        return;
    link_session_put_ack(link->session, stream_output(link->current->stream));
    stream_flush(link->current->stream);
}

static void on_heartbeat(evutil_socket_t ignored, short what, void *arg)
{
    struct link *link = arg;

    on_acknowledge(ignored, what, arg);
    link_after_ms(link->heartbeat, HEARTBEAT_MS);
}

static void on_flush(evutil_socket_t ignored, short what, void *arg)
{
    struct link *link = arg;

    (void)ignored;
    (void)what;
    if (link->current != NULL)
        stream_flush(link->current->stream);
}

struct buf *link_output(const struct link *link)
{
    return link->current != NULL ? stream_output(link->current->stream) : NULL;
}

static void on_settled(void *arg, uint64_t ticket)
{
    struct link *link = arg;

    link_session_settled(link->session, ticket, link_output(link));
    on_flush(-1, 0, link);
}

static void on_shelf_failed(void *arg, const struct status *status)
{
    struct link *link = arg;

    log_line(link->env->log, LOG_LEVEL_ERROR,
             "link to '%s': no more key material is opened or made: %s", link->peer->kme_id,
             status->text);
}

static const struct shelf_events shelf_events = {on_settled, on_shelf_failed};

static bool set_up(struct link *link, struct status *status)
{
    const struct env *env = link->env;

    link->session = link_session_new(env, link->peer, &session_events, link, status);
    if (link->session == NULL)
        return false;
    if (env->shelf != NULL && !shelf_subscribe(env->shelf, &shelf_events, link))
        return status_fail(status, OUTCOME_INTERNAL, "too many links share the store");
    link->redial = evtimer_new(env->base, on_redial, link);
    link->heartbeat = evtimer_new(env->base, on_heartbeat, link);
    link->acknowledge = evtimer_new(env->base, on_acknowledge, link);
    link->flush = evtimer_new(env->base, on_flush, link);
    link->quantum_tick = evtimer_new(env->base, link_quantum_tick, link);
    if (link->redial == NULL || link->heartbeat == NULL || link->acknowledge == NULL ||
        link->flush == NULL || link->quantum_tick == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for the link");
    if (!link_listens(link))
        link_after_ms(link->redial, 0);
    return true;
}

struct link *link_new(const struct env *env, struct peer *peer, struct status *status)
{
    struct link *link = OPENSSL_zalloc(sizeof(*link));

    if (link == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for the link");
        return NULL;
    }
    link->env = env;
    link->peer = peer;
    link->redial_ms = REDIAL_FIRST_MS;
    link->since_ns = monotonic_ns();
    TAILQ_INIT(&link->connections);
    if (!set_up(link, status)) {
        link_free(link);
        return NULL;
    }
    return link;
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

void link_free(struct link *link)
{
    if (link == NULL)
        return;
    while (!TAILQ_EMPTY(&link->connections))
        drop(TAILQ_FIRST(&link->connections), "this key server ends");
    if (link->env->shelf != NULL)
        shelf_unsubscribe(link->env->shelf, link);
    free_event(link->redial);
    free_event(link->heartbeat);
    free_event(link->acknowledge);
    free_event(link->flush);
    free_event(link->quantum_tick);
    link_session_free(link->session);
    OPENSSL_free(link);
}
