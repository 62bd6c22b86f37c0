/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/http_server.h"

#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/deadline.h"
#include "kme/config.h"
#include "kme/identity.h"
#include "kme/listener.h"
#include "kme/occupancy.h"
#include "kme/stream.h"

enum {
    HANDSHAKE_MS = 10000,
    MS_PER_S = 1000,
    HEAD_MAX_BYTES = 1024,
    DATE_BYTES = 40,
    CHUNK_BYTES = 100
};

struct http_exchange {
    struct http_server *server;
    struct stream *stream;
    struct http_request request;
    struct identity *identity; /* NULL without TLS, or when it is not to be believed */
    char remote[ADDRESS_TEXT_BYTES];
    int64_t since_ns; /* the request is complete */
    bool busy;        /* the service has the request */
    bool advancing;   /* advance() is on the stack */
    bool told_continue;
    bool ending; /* no further request is read */
    void (*abort)(void *arg);
    void *abort_arg;
    LIST_ENTRY(http_exchange) next;
};

struct http_server {
    const struct env *env;
    const struct http_service *service;
    void *arg;
    struct listener *listener;
    LIST_HEAD(, http_exchange) exchanges;
    struct occupancy occupancy;
    bool draining;
    time_t date_time;
    char date[DATE_BYTES];
};

static const struct {
    int code;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(int code)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].code == code)
            return reasons[i].reason;
    return "Error";
}

static const char *date_now(struct http_server *server)
{
    time_t now = time(NULL);
    struct tm utc;

    if (now != server->date_time) {
        gmtime_r(&now, &utc);
        strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
        server->date_time = now;
    }
    return server->date;
}

static void exchange_free(struct http_exchange *exchange)
{
    if (exchange->abort != NULL)
        exchange->abort(exchange->abort_arg);
    LIST_REMOVE(exchange, next);
    exchange->server->occupancy.count--;
    stream_free(exchange->stream);
    http_request_free(&exchange->request);
    identity_free(exchange->identity);
    OPENSSL_free(exchange);
}

static void put_chunks(struct buf *out, const struct buf *body)
{
    for (size_t at = 0; at < body->length; at += CHUNK_BYTES) {
        size_t length = body->length - at < CHUNK_BYTES ? body->length - at : CHUNK_BYTES;

        buf_put_format(out, "%zx\r\n", length);
        buf_put(out, body->data + at, length);
        buf_put_text(out, "\r\n");
    }
    buf_put_text(out, "0\r\n\r\n");
}

static void put_answer(struct http_exchange *exchange, const struct http_answer *answer,
                       bool chunked, struct buf *out)
{
    size_t length = answer->body == NULL ? 0 : answer->body->length;

    buf_put_format(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nCache-Control: no-store\r\n", answer->code,
                   reason_of(answer->code), date_now(exchange->server));
    if (answer->content_type != NULL)
        buf_put_format(out, "Content-Type: %s\r\n", answer->content_type);
    if (chunked)
        buf_put_text(out, "Transfer-Encoding: chunked\r\n");
    else
        buf_put_format(out, "Content-Length: %zu\r\n", length);
    buf_put_format(out, "%s%s\r\n", answer->extra, exchange->ending ? "Connection: close\r\n" : "");
    if (length == 0 || strcmp(exchange->request.method, "HEAD") == 0)
        return;
    if (chunked)
        put_chunks(out, answer->body);
    else
        buf_put(out, answer->body->data, length);
}

static void write_answer(struct http_exchange *exchange, const struct http_answer *answer,
                         struct http_oddity oddity)
{
    struct buf *out = stream_output(exchange->stream);
    size_t begin = out->length;

    put_answer(exchange, answer, oddity.chunked, out);
    if (oddity.cut)
        stream_cut(exchange->stream, (out->length - begin + 1) / 2);
    else if (exchange->ending)
        stream_finish(exchange->stream);
    else
        stream_flush(exchange->stream);
}

void http_answer(struct http_exchange *exchange, const struct http_answer *answer)
{
    http_answer_oddly(exchange, answer, (struct http_oddity){false, false});
}

void http_answer_oddly(struct http_exchange *exchange, const struct http_answer *answer,
                       struct http_oddity oddity)
{
    exchange->abort = NULL;
    exchange->busy = false;
    if (!exchange->request.keep_alive || exchange->server->draining || oddity.cut)
        exchange->ending = true;
    oddity.chunked = oddity.chunked && answer->body != NULL && answer->body->length > 0;
    write_answer(exchange, answer, oddity);
    http_request_reset(&exchange->request);
    exchange->told_continue = false;
    if (!exchange->advancing && !exchange->ending)
        stream_resume(exchange->stream);
}

static void refuse(struct http_exchange *exchange, const struct http_fault *fault)
{
    struct http_server *server = exchange->server;
    struct http_answer answer = {fault->code, "application/json", "", NULL};
    struct buf body;

    buf_init(&body, HEAD_MAX_BYTES);
    server->service->refuse(server->arg, exchange, fault, &body);
    answer.body = &body;
    exchange->request.keep_alive = false;
    exchange->request.method[0] = '\0';
    http_answer(exchange, &answer);
    buf_free(&body);
}

static void say_continue(struct http_exchange *exchange)
{
    if (exchange->told_continue || !exchange->request.expects_continue ||
        exchange->request.phase == HTTP_REQUEST_HEAD)
        return;
    exchange->told_continue = true;
    buf_put_text(stream_output(exchange->stream), "HTTP/1.1 100 Continue\r\n\r\n");
    stream_flush(exchange->stream);
}

/* Requests are answered one by one, and none is begun while an answer waits to be written. */
static void advance(struct http_exchange *exchange, struct buf *input)
{
    struct http_fault fault;

    exchange->advancing = true;
    while (!exchange->busy && !exchange->ending && stream_backlog_bytes(exchange->stream) == 0) {
        if (!http_request_feed(&exchange->request, input, &fault)) {
            refuse(exchange, &fault);
        } else if (exchange->request.phase == HTTP_REQUEST_COMPLETE) {
            exchange->busy = true;
            exchange->since_ns = monotonic_ns();
            exchange->server->service->handle(exchange->server->arg, exchange);
        } else {
            say_continue(exchange);
            break;
        }
    }
    exchange->advancing = false;
}

static void on_opened(void *arg, SSL *tls)
{
    struct http_exchange *exchange = arg;

    const char *why;

    exchange->identity = identity_read(tls, &why);
    if (tls != NULL && exchange->identity == NULL)
        log_line(exchange->server->env->log, LOG_LEVEL_INFO,
                 "a connection to %s belongs to nobody: %s", exchange->server->service->name, why);
    exchange->server->service->opened(exchange->server->arg, tls);
}

static void on_received(void *arg, struct buf *input)
{
    advance(arg, input);
}

static void on_drained(void *arg)
{
    struct http_exchange *exchange = arg;

    stream_resume(exchange->stream);
}

static void on_closed(void *arg, const char *reason)
{
    struct http_exchange *exchange = arg;

    if (reason[0] != '\0')
        log_line(exchange->server->env->log, LOG_LEVEL_DEBUG, "%s connection of '%s' ended: %s",
                 exchange->server->service->name, identity_text(exchange->identity), reason);
    exchange_free(exchange);
}

static const struct stream_events exchange_events = {on_opened, on_received, on_drained, on_closed};

static struct http_exchange *exchange_new(struct http_server *server)
{
    struct http_exchange *exchange = OPENSSL_zalloc(sizeof(*exchange));

    if (exchange == NULL)
        return NULL;
    exchange->server = server;
    http_request_init(&exchange->request, server->service->max_body_bytes);
    LIST_INSERT_HEAD(&server->exchanges, exchange, next);
    server->occupancy.count++;
    return exchange;
}

static void on_accept(void *arg, int fd)
{
    struct http_server *server = arg;
    struct stream_limits limits = {HTTP_REQUEST_HEAD_MAX_BYTES + server->service->max_body_bytes,
                                   server->service->max_response_bytes + HEAD_MAX_BYTES,
                                   HANDSHAKE_MS,
                                   (int)server->env->config->limits.idle_timeout_s * MS_PER_S};
    bool full = occupancy_is_full(&server->occupancy, server->env, server->service->name);
    struct http_exchange *exchange = full ? NULL : exchange_new(server);
    bool plain = server->service->tls == TLS_NONE;
    SSL *tls = exchange == NULL || plain ? NULL : tls_new(server->env, server->service->tls);

    if (exchange == NULL || (!plain && tls == NULL)) {
        close(fd);
    } else {
        address_of_peer(fd, exchange->remote);
        exchange->stream = stream_new(server->env->base, fd, tls, STREAM_ACCEPTED, &limits,
                                      &exchange_events, exchange);
    }
    if (exchange != NULL && exchange->stream == NULL)
        exchange_free(exchange);
}

struct http_server *http_server_new(const struct env *env, const struct address *address,
                                    const struct http_service *service, void *arg,
                                    struct status *status)
{
    struct http_server *server = OPENSSL_zalloc(sizeof(*server));

    if (server == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for a server");
        return NULL;
    }
    server->env = env;
    server->service = service;
    server->arg = arg;
    server->listener = listener_new(env, address, on_accept, server, status);
    if (server->listener == NULL) {
        OPENSSL_free(server);
        return NULL;
    }
    return server;
}

void http_server_free(struct http_server *server)
{
    struct http_exchange *exchange;

    if (server == NULL)
        return;
    listener_free(server->listener);
    while ((exchange = LIST_FIRST(&server->exchanges)) != NULL)
        exchange_free(exchange);
    OPENSSL_free(server);
}

void http_server_drain(struct http_server *server)
{
    listener_free(server->listener);
    server->listener = NULL;
    server->draining = true;
}

bool http_server_is_idle(const struct http_server *server)
{
    const struct http_exchange *exchange;

    for (exchange = LIST_FIRST(&server->exchanges); exchange != NULL;
         exchange = LIST_NEXT(exchange, next))
        if (exchange->busy || stream_backlog_bytes(exchange->stream) > 0)
            return false;
    return true;
}

const struct http_request *http_exchange_request(const struct http_exchange *exchange)
{
    return &exchange->request;
}

int64_t http_exchange_since_ns(const struct http_exchange *exchange)
{
    return exchange->since_ns;
}

const struct identity *http_exchange_identity(const struct http_exchange *exchange)
{
    return exchange->identity;
}

const char *http_exchange_remote(const struct http_exchange *exchange)
{
    return exchange->remote;
}

void http_exchange_on_abort(struct http_exchange *exchange, void (*abort)(void *arg), void *arg)
{
    exchange->abort = abort;
    exchange->abort_arg = arg;
}
