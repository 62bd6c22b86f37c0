/* SPDX-License-Identifier: Apache-2.0 */
#include "net/connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "net/dial.h"
#include "net/error_queue.h"
#include "net/tls_context.h"
#include "net/wait.h"

enum { RECEIVE_CHUNK_BYTES = 4096 };

struct connection {
    struct endpoint *endpoint;
    struct dial dial;
    SSL *ssl;         /* NULL until there is a TCP connection */
    bool offers;      /* to resume a session */
    bool plain;       /* it must not, since that failed */
    int broken_errno; /* why nothing more can be sent; 0 while it can */
};

/* OpenSSL 4.0 reads nothing more after a write that failed, so that the alert which explains the
 * failure would be lost. To libssl a broken connection is therefore one that is not ready. */
static long note_broken(BIO *bio, int operation, const char *data, size_t length, int number,
                        long other, int result, size_t *written)
{
    struct connection *connection = (struct connection *)(void *)BIO_get_callback_arg(bio);
    int reason = errno;

    (void)data;
    (void)length;
    (void)number;
    (void)other;
    (void)written;
    if (operation == (BIO_CB_WRITE | BIO_CB_RETURN) && result <= 0 &&
        (reason == ECONNRESET || reason == EPIPE)) {
        connection->broken_errno = reason;
        BIO_set_retry_write(bio);
    }
    return result;
}

/* After an SSL call that did not succeed: true = the socket is ready, repeat the call. */
static bool wait_for_tls(struct connection *connection, int result, const char *what,
                         const struct deadline *deadline, struct status *status)
{
    int saved_errno = errno;

    switch (SSL_get_error(connection->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return wait_on(connection->dial.fd, POLLIN, deadline, what, status);
    case SSL_ERROR_WANT_WRITE:
        if (connection->broken_errno != 0)
            return status_fail(status, OUTCOME_KME, "the connection broke while %s: %s", what,
                               strerror(connection->broken_errno));
        return wait_on(connection->dial.fd, POLLOUT, deadline, what, status);
    case SSL_ERROR_ZERO_RETURN:
        return status_fail(status, OUTCOME_KME, "it closed the connection while %s", what);
    case SSL_ERROR_SYSCALL:
        return status_fail(status, OUTCOME_KME, "the connection broke while %s: %s", what,
                           saved_errno != 0 ? strerror(saved_errno) : "it ended");
    default:
        return status_fail(status, OUTCOME_KME, "TLS failed while %s: %s", what,
                           tls_failure_reason(connection->ssl));
    }
}

static bool start_tls(struct connection *connection, struct status *status)
{
    struct tls_context *tls = endpoint_tls(connection->endpoint, status);
    const char *host = endpoint_address(connection->endpoint)->host;

    if (tls == NULL)
        return false;
    connection->ssl =
        tls_context_client(tls, connection->dial.fd, host, !connection->plain, status);
    if (connection->ssl == NULL)
        return false;
    connection->offers = tls_offers_session(connection->ssl);
    BIO_set_callback_arg(SSL_get_wbio(connection->ssl), (char *)connection);
    BIO_set_callback_ex(SSL_get_wbio(connection->ssl), note_broken);
    return true;
}

static bool handshake(struct connection *connection, const struct deadline *deadline,
                      struct status *status)
{
    for (;;) {
        int result;

        errno = 0;
        result = SSL_do_handshake(connection->ssl);
        if (result == 1)
            return true;
        if (!wait_for_tls(connection, result, "making a TLS connection", deadline, status))
            return false;
    }
}

struct connection *connection_begin(struct endpoint *endpoint, const struct deadline *deadline,
                                    struct status *status)
{
    struct connection *connection;

    /* Unusable files are found before anybody is troubled. */
    if (endpoint_tls(endpoint, status) == NULL)
        return NULL;
    connection = OPENSSL_zalloc(sizeof(*connection));
    if (connection == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for a connection");
        return NULL;
    }
    connection->endpoint = endpoint;
    if (dial_begin(&connection->dial, endpoint_address(endpoint), deadline, status))
        return connection;
    OPENSSL_free(connection);
    return NULL;
}

static bool advance(struct connection *connection, const struct deadline *deadline,
                    struct status *status)
{
    struct error_queue *taken;
    bool ok;

    if (connection->ssl == NULL && !dial_advance(&connection->dial, deadline, status))
        return false;
    taken = error_queue_take();
    ok = (connection->ssl != NULL || start_tls(connection, status)) &&
         handshake(connection, deadline, status);
    error_queue_put_back(taken);
    return ok;
}

/* A server that checks certificates of clients, but was not made to resume sessions, may break
 * off at the offer instead of declining it. */
static bool start_plain(struct connection *connection, struct status *status)
{
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    connection->offers = false;
    connection->plain = true;
    connection->broken_errno = 0;
    return dial_again(&connection->dial, status);
}

static void note_offer(struct connection *connection)
{
    struct status status = STATUS_INIT;
    struct tls_context *tls = endpoint_tls(connection->endpoint, &status);

    if (connection->offers || connection->plain)
        tls_context_note_offer(tls, connection->offers);
}

/* Before anything is asked for. */
static bool check_group(const struct connection *connection, struct status *status)
{
    const char *group = tls_group(connection->ssl);

    return !endpoint_requires_pq(connection->endpoint) || tls_group_is_pq(group) ||
           status_fail(status, OUTCOME_KME,
                       "the key server chose the group %s, and kme-require-pq = yes wants a "
                       "post-quantum hybrid (MLKEM)",
                       group);
}

bool connection_advance(struct connection *connection, const struct deadline *deadline,
                        struct status *status)
{
    struct status attempt = STATUS_INIT;
    bool ok;

    if (connection_is_made(connection))
        return true;
    ok = advance(connection, deadline, &attempt);
    if (!ok && connection->offers && attempt.outcome == OUTCOME_KME) {
        status_clear(&attempt);
        ok = start_plain(connection, &attempt) && advance(connection, deadline, &attempt);
    }
    if (!ok)
        return status_fail(status, attempt.outcome, "%s", attempt.text);
    note_offer(connection);
    return check_group(connection, status);
}

bool connection_is_made(const struct connection *connection)
{
    return connection->ssl != NULL && SSL_is_init_finished(connection->ssl);
}

uint64_t connection_progress(const struct connection *connection)
{
    return connection->ssl != NULL ? 1 + BIO_number_read(SSL_get_rbio(connection->ssl)) : 0;
}

const char *connection_tls_version(const struct connection *connection)
{
    return SSL_get_version(connection->ssl);
}

const char *connection_group(const struct connection *connection)
{
    return tls_group(connection->ssl);
}

bool connection_is_resumed(const struct connection *connection)
{
    return SSL_session_reused(connection->ssl) == 1;
}

struct connection *connection_open(struct endpoint *endpoint, const struct deadline *deadline,
                                   struct status *status)
{
    struct connection *connection = connection_begin(endpoint, deadline, status);

    if (connection == NULL || connection_advance(connection, deadline, status))
        return connection;
    connection_abandon(connection);
    return NULL;
}

void connection_abandon(struct connection *connection)
{
    if (connection == NULL)
        return;
    if (connection->dial.fd >= 0)
        close(connection->dial.fd);
    if (connection->ssl != NULL)
        SSL_set_quiet_shutdown(connection->ssl, 1);
    SSL_free(connection->ssl);
    OPENSSL_free(connection);
}

void connection_close(struct connection *connection)
{
    struct error_queue *taken;

    if (connection == NULL)
        return;
    taken = error_queue_take();
    if (connection->ssl != NULL && SSL_is_init_finished(connection->ssl))
        SSL_shutdown(connection->ssl);
    error_queue_put_back(taken);
    connection_abandon(connection);
}

/* A key server that refuses our certificate says so in an alert after the handshake of TLS 1.3;
 * it is a better explanation than that the connection was closed then. */
static bool explain_by_alert(struct connection *connection, struct status *status)
{
    unsigned long before = ERR_peek_last_error();
    size_t got = 0;
    uint8_t octet;

    if (SSL_peek_ex(connection->ssl, &octet, 1, &got) == 1 || ERR_peek_last_error() == before)
        return false;
    status_clear(status);
    return status_fail(status, OUTCOME_KME, "TLS failed while sending the request: %s",
                       tls_failure_reason(connection->ssl));
}

static bool send_all(struct connection *connection, const uint8_t *data, size_t length,
                     const struct deadline *deadline, struct status *status)
{
    while (length > 0) {
        size_t written = 0;
        int result;

        errno = 0;
        result = SSL_write_ex(connection->ssl, data, length, &written);
        if (result == 1) {
            data += written;
            length -= written;
        } else if (!wait_for_tls(connection, result, "sending the request", deadline, status)) {
            return explain_by_alert(connection, status);
        }
    }
    return true;
}

bool connection_send(struct connection *connection, const void *data, size_t length,
                     const struct deadline *deadline, struct status *status)
{
    struct error_queue *taken = error_queue_take();
    bool ok;

    ok = send_all(connection, data, length, deadline, status);
    error_queue_put_back(taken);
    return ok;
}

static bool receive_some(struct connection *connection, struct buf *into, bool *ended,
                         const struct deadline *deadline, struct status *status)
{
    uint8_t *to = buf_reserve(into, RECEIVE_CHUNK_BYTES);

    if (to == NULL)
        return status_fail(status, OUTCOME_KME, "its answer exceeds %zu octets", into->max_bytes);
    for (;;) {
        size_t got = 0;
        int result;

        errno = 0;
        result = SSL_read_ex(connection->ssl, to, RECEIVE_CHUNK_BYTES, &got);
        if (result == 1) {
            into->length += got;
            return true;
        }
        if (SSL_get_error(connection->ssl, result) == SSL_ERROR_ZERO_RETURN) {
            *ended = true;
            return true;
        }
        if (!wait_for_tls(connection, result, "waiting for the answer", deadline, status))
            return false;
    }
}

bool connection_receive(struct connection *connection, struct buf *into, bool *ended,
                        const struct deadline *deadline, struct status *status)
{
    struct error_queue *taken = error_queue_take();
    bool ok;

    *ended = false;
    ok = receive_some(connection, into, ended, deadline, status);
    error_queue_put_back(taken);
    return ok;
}

/* Session tickets may have come meanwhile, which say nothing about the connection's end. */
static bool has_only_tickets(struct connection *connection)
{
    struct error_queue *taken = error_queue_take();
    size_t got = 0;
    uint8_t octet;
    int result = SSL_peek_ex(connection->ssl, &octet, 1, &got);
    bool alive = result != 1 && SSL_get_error(connection->ssl, result) == SSL_ERROR_WANT_READ;

    error_queue_put_back(taken);
    return alive;
}

bool connection_is_stale(struct connection *connection)
{
    struct pollfd polled = {.fd = connection->dial.fd, .events = POLLIN};
    int ready = poll(&polled, 1, 0);

    if (ready == 0 && !SSL_has_pending(connection->ssl))
        return false;
    return ready < 0 || !has_only_tickets(connection);
}
