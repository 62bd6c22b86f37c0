/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

enum {
    READ_BYTES = 4096,
    KEPT_OUTPUT_BYTES = 65536, /* an output buffer that grew beyond is not kept */
    LINGER_MS = 1000,
    LINGER_MAX_BYTES = 4194304,
    REASON_BYTES = 256
};

enum stream_state {
    STATE_CONNECTING,
    STATE_HANDSHAKE,
    STATE_OPEN,
    STATE_FINISHING, /* writing the last output */
    STATE_LINGERING, /* waiting for the other side's end */
    STATE_FAILED,    /* `closed` is to be told from the event loop */
    STATE_CLOSED
};

struct stream {
    enum stream_state state; /* written by set_state and stream_new only */
    int fd;
    SSL *tls; /* NULL without TLS */
    struct event *readable, *writable, *deadline;
    struct timeval idle;
    struct buf input, output;
    size_t written;      /* of the output */
    size_t linger_bytes; /* thrown away while lingering */
    bool told_to_wait;   /* some output had to wait for the socket */
    unsigned depth;      /* event callbacks on the stack */
    bool free_on_return;
    const struct stream_events *events;
    void *arg;
    char reason[REASON_BYTES];
};

enum io { IO_DONE, IO_WANT_READ, IO_WANT_WRITE, IO_END, IO_ERROR };

static void set_state(struct stream *stream, enum stream_state state)
{
    stream->state = state;
}

static void destroy(struct stream *stream)
{
    if (stream->readable != NULL)
        event_free(stream->readable);
    if (stream->writable != NULL)
        event_free(stream->writable);
    if (stream->deadline != NULL)
        event_free(stream->deadline);
    if (stream->tls != NULL) {
        if (stream->state == STATE_OPEN)
            SSL_shutdown(stream->tls);
        SSL_free(stream->tls);
        ERR_clear_error();
    }
    close(stream->fd);
    buf_free(&stream->input);
    buf_free(&stream->output);
    OPENSSL_free(stream);
}

static void enter(struct stream *stream)
{
    stream->depth++;
}

static void leave(struct stream *stream)
{
    if (--stream->depth == 0 && stream->free_on_return)
        destroy(stream);
}

void stream_free(struct stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->depth > 0)
        stream->free_on_return = true;
    else
        destroy(stream);
}

void stream_hand_over(struct stream *stream, const struct stream_events *events, void *arg)
{
    stream->events = events;
    stream->arg = arg;
}

static void arm_deadline(struct stream *stream, int after_ms)
{
    struct timeval after = {after_ms / 1000, after_ms % 1000 * 1000};

    event_add(stream->deadline, &after);
}

/* The first reason stays. The event loop tells the owner, never the caller's stack. */
static void fail(struct stream *stream, const char *reason)
{
    if (stream->state >= STATE_FAILED)
        return;
    snprintf(stream->reason, sizeof(stream->reason), "%s", reason);
    set_state(stream, STATE_FAILED);
    event_active(stream->readable, EV_READ, 0);
}

static void fail_tls(struct stream *stream, const char *doing)
{
    unsigned long error = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(error);
    long verified = SSL_get_verify_result(stream->tls);
    char reason[REASON_BYTES];

    if (verified != X509_V_OK)
        text = X509_verify_cert_error_string(verified);
    if (text == NULL)
        text = errno != 0 ? strerror(errno) : "the other side closed the connection";
    snprintf(reason, sizeof(reason), "%s: %s", doing, text);
    ERR_clear_error();
    fail(stream, reason);
}

static enum io tls_result(struct stream *stream, int result)
{
    switch (SSL_get_error(stream->tls, result)) {
    case SSL_ERROR_NONE:
        return IO_DONE;
    case SSL_ERROR_WANT_READ:
        return IO_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return IO_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return IO_END;
    default:
        return IO_ERROR;
    }
}

static enum io socket_result(ssize_t result, enum io want)
{
    if (result > 0)
        return IO_DONE;
    if (result == 0)
        return IO_END;
    return errno == EAGAIN || errno == EINTR ? want : IO_ERROR;
}

static enum io read_some(struct stream *stream, uint8_t *to, size_t room, size_t *count)
{
    ssize_t result;

    errno = 0;
    if (stream->tls != NULL) {
        ERR_clear_error();
        return tls_result(stream, SSL_read_ex(stream->tls, to, room, count));
    }
    result = read(stream->fd, to, room);
    *count = result > 0 ? (size_t)result : 0;
    return socket_result(result, IO_WANT_READ);
}

static enum io write_some(struct stream *stream, size_t *count)
{
    const uint8_t *from = stream->output.data + stream->written;
    size_t left = stream->output.length - stream->written;
    ssize_t result;

    errno = 0;
    if (stream->tls != NULL) {
        ERR_clear_error();
        return tls_result(stream, SSL_write_ex(stream->tls, from, left, count));
    }
    result = write(stream->fd, from, left);
    *count = result > 0 ? (size_t)result : 0;
    return socket_result(result, IO_WANT_WRITE);
}

static void forget_output(struct stream *stream)
{
    if (stream->output.capacity > KEPT_OUTPUT_BYTES)
        buf_free(&stream->output);
    else
        buf_reset(&stream->output);
    stream->written = 0;
}

struct buf *stream_output(struct stream *stream)
{
    return &stream->output;
}

size_t stream_backlog_bytes(const struct stream *stream)
{
    return stream->output.length - stream->written;
}

static void start_linger(struct stream *stream)
{
    if (stream->tls != NULL)
        SSL_shutdown(stream->tls);
    ERR_clear_error();
    shutdown(stream->fd, SHUT_WR);
    set_state(stream, STATE_LINGERING);
    arm_deadline(stream, LINGER_MS);
    event_add(stream->readable, NULL);
    event_active(stream->readable, EV_READ, 0);
}

void stream_flush(struct stream *stream)
{
    enum io io = IO_DONE;
    size_t count;

    if (stream->state != STATE_OPEN && stream->state != STATE_FINISHING)
        return;
    if (stream->output.failed) {
        fail(stream, "the other side does not read what it is sent");
        return;
    }
    while (io == IO_DONE && stream->written < stream->output.length) {
        io = write_some(stream, &count);
        if (io == IO_DONE)
            stream->written += count;
    }
    if (io == IO_WANT_WRITE) {
        stream->told_to_wait = true;
        event_add(stream->writable, NULL);
    } else if (io == IO_END || io == IO_ERROR) {
        if (stream->tls != NULL)
            fail_tls(stream, "writing");
        else
            fail(stream, strerror(errno));
    } else if (io == IO_DONE) {
        forget_output(stream);
        if (stream->state == STATE_FINISHING)
            start_linger(stream);
    }
}

void stream_finish(struct stream *stream)
{
    if (stream->state != STATE_OPEN) {
        fail(stream, "closed before it was open");
        return;
    }
    set_state(stream, STATE_FINISHING);
    event_del(stream->readable);
    arm_deadline(stream, (int)(stream->idle.tv_sec * 1000));
    stream_flush(stream);
}

void stream_cut(struct stream *stream, size_t missing_bytes)
{
    size_t waiting = stream_backlog_bytes(stream);
    size_t missing = missing_bytes < waiting ? missing_bytes : waiting;

    if (missing > 0) {
        stream->output.length -= missing;
        OPENSSL_cleanse(stream->output.data + stream->output.length, missing);
    }
    if (stream->tls != NULL)
        SSL_set_quiet_shutdown(stream->tls, 1);
    stream_finish(stream);
}

void stream_resume(struct stream *stream)
{
    if (stream->state != STATE_OPEN)
        return;
    event_add(stream->readable, &stream->idle);
    event_active(stream->readable, EV_READ, 0);
}

static void close_now(struct stream *stream)
{
    if (stream->state == STATE_CLOSED)
        return;
    set_state(stream, STATE_CLOSED);
    event_del(stream->readable);
    event_del(stream->writable);
    event_del(stream->deadline);
    stream->events->closed(stream->arg, stream->reason);
}

static void become_open(struct stream *stream)
{
    event_del(stream->deadline);
    set_state(stream, STATE_OPEN);
    event_add(stream->readable, &stream->idle);
    stream->events->opened(stream->arg, stream->tls);
}

static void shake_hands(struct stream *stream)
{
    enum io io;

    if (stream->tls == NULL) {
        become_open(stream);
        return;
    }
    errno = 0;
    ERR_clear_error();
    io = tls_result(stream, SSL_do_handshake(stream->tls));
    if (io == IO_DONE)
        become_open(stream);
    else if (io == IO_WANT_WRITE)
        event_add(stream->writable, NULL);
    else if (io != IO_WANT_READ)
        fail_tls(stream, "TLS handshake");
}

static void connected(struct stream *stream)
{
    int error = 0;
    socklen_t length = sizeof(error);

    getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
        fail(stream, strerror(error));
        return;
    }
    set_state(stream, STATE_HANDSHAKE);
    event_add(stream->readable, NULL);
    shake_hands(stream);
}

static void linger(struct stream *stream)
{
    uint8_t waste[READ_BYTES];
    ssize_t count = read(stream->fd, waste, sizeof(waste));

    if (count > 0)
        stream->linger_bytes += (size_t)count;
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) ||
        stream->linger_bytes > LINGER_MAX_BYTES)
        close_now(stream);
}

/* Reads what is there, shows it, and notices the end after that: requests that came before the
 * end are still answered. */
static void receive(struct stream *stream)
{
    enum io io = IO_DONE;
    bool grew = false, more;
    size_t count;

    do {
        size_t room = stream->input.max_bytes - stream->input.length;
        uint8_t *to;

        if (room == 0)
            break;
        room = room < READ_BYTES ? room : READ_BYTES;
        to = buf_reserve(&stream->input, room);
        if (to == NULL) {
            fail(stream, "out of memory for input");
            return;
        }
        io = read_some(stream, to, room, &count);
        more =
            io == IO_DONE && (stream->tls != NULL ? SSL_has_pending(stream->tls) : count == room);
        if (io == IO_DONE) {
            stream->input.length += count;
            grew = true;
        }
    } while (more);
    if (io == IO_WANT_WRITE)
        event_add(stream->writable, NULL);
    if (grew || stream->input.length > 0)
        stream->events->received(stream->arg, &stream->input);
    if (stream->free_on_return || stream->state != STATE_OPEN)
        return;
    if (io == IO_END)
        close_now(stream);
    else if (io == IO_ERROR)
        fail_tls(stream, "reading");
    else if (stream->input.length == stream->input.max_bytes)
        event_del(stream->readable);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *stream = arg;

    (void)fd;
    enter(stream);
    if (what & EV_TIMEOUT)
        fail(stream, "idle for too long");
    if (stream->state == STATE_HANDSHAKE)
        shake_hands(stream);
    if (stream->state == STATE_OPEN && !stream->free_on_return)
        receive(stream);
    else if (stream->state == STATE_LINGERING)
        linger(stream);
    if (stream->state == STATE_FAILED && !stream->free_on_return)
        close_now(stream);
    leave(stream);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *stream = arg;

    (void)fd;
    (void)what;
    enter(stream);
    if (stream->state == STATE_CONNECTING)
        connected(stream);
    else if (stream->state == STATE_HANDSHAKE)
        shake_hands(stream);
    else
        stream_flush(stream);
    if (stream->told_to_wait && stream_backlog_bytes(stream) == 0 && stream->state == STATE_OPEN &&
        !stream->free_on_return) {
        stream->told_to_wait = false;
        stream->events->drained(stream->arg);
    }
    leave(stream);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct stream *stream = arg;

    (void)fd;
    (void)what;
    enter(stream);
    if (stream->state == STATE_CONNECTING)
        snprintf(stream->reason, sizeof(stream->reason), "no answer in time");
    else if (stream->state == STATE_HANDSHAKE)
        snprintf(stream->reason, sizeof(stream->reason), "TLS handshake: not finished in time");
    close_now(stream);
    leave(stream);
}

struct stream *stream_new(struct event_base *base, int fd, SSL *tls, enum stream_start start,
                          const struct stream_limits *limits, const struct stream_events *events,
                          void *arg)
{
    struct stream *stream = OPENSSL_zalloc(sizeof(*stream));

    if (stream == NULL) {
        SSL_free(tls);
        close(fd);
        return NULL;
    }
    stream->fd = fd;
    stream->tls = tls;
    stream->events = events;
    stream->arg = arg;
    stream->state = start == STREAM_DIALLED ? STATE_CONNECTING : STATE_HANDSHAKE;
    stream->idle.tv_sec = limits->idle_ms / 1000;
    stream->idle.tv_usec = limits->idle_ms % 1000 * 1000;
    buf_init(&stream->input, limits->input_max_bytes);
    buf_init(&stream->output, limits->output_max_bytes);
    stream->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, stream);
    stream->writable = event_new(base, fd, EV_WRITE, on_writable, stream);
    stream->deadline = evtimer_new(base, on_deadline, stream);
    if (stream->readable == NULL || stream->writable == NULL || stream->deadline == NULL ||
        (tls != NULL && SSL_set_fd(tls, fd) != 1)) {
        destroy(stream);
        return NULL;
    }
    arm_deadline(stream, limits->handshake_ms);
    if (stream->state == STATE_CONNECTING)
        event_add(stream->writable, NULL);
    else
        event_add(stream->readable, NULL);
    if (stream->state == STATE_HANDSHAKE && tls == NULL)
        event_active(stream->readable, EV_READ, 0);
    return stream;
}
