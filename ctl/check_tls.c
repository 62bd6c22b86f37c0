/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check_tls.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "ctl/check_http.h"
#include "net/resolve.h"
#include "net/socket_bio.h"
#include "net/tls_context.h"

enum { ANSWER_MAX_BYTES = 65536, READ_BYTES = 4096, CODE_PLACE = 9, CODE_END = 12 };

static bool wait_for(int fd, short events, const struct deadline *deadline)
{
    struct pollfd polled = {.fd = fd, .events = events};

    return poll(&polled, 1, deadline_left_ms(deadline)) > 0;
}

static int connect_one(const struct sockaddr *address, socklen_t length,
                       const struct deadline *deadline)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;
    socklen_t size = sizeof(error);

    if (fd < 0)
        return -1;
    if ((connect(fd, address, length) == 0 || errno == EINPROGRESS) &&
        wait_for(fd, POLLOUT, deadline) &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
        return fd;
    close(fd);
    return -1;
}

static int connect_any(const struct endpoint_address *address, const struct deadline *deadline,
                       struct status *status)
{
    struct resolved resolved;
    int fd = -1;

    if (!resolve(address, &resolved, deadline, status))
        return -1;
    for (size_t i = 0; fd < 0 && i < resolved.count; i++)
        fd = connect_one((const struct sockaddr *)&resolved.entries[i].address,
                         resolved.entries[i].length, deadline);
    if (fd < 0)
        status_fail(status, OUTCOME_KME, "cannot connect to %s:%s", address->host, address->port);
    return fd;
}

/* Old versions need what a modern policy forbids. */
static SSL_CTX *make_context(const struct tls_try *attempt, struct status *status)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    bool old = attempt->max_version != 0 && attempt->max_version < TLS1_2_VERSION;
    bool ok = context != NULL && SSL_CTX_set_min_proto_version(context, TLS1_VERSION) == 1 &&
              SSL_CTX_set_max_proto_version(context, attempt->max_version) == 1;

    if (ok && old) {
        SSL_CTX_set_security_level(context, 0);
        ok = SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0") == 1;
    }
    if (ok && attempt->cert != NULL)
        ok = SSL_CTX_use_certificate(context, attempt->cert) == 1 &&
             SSL_CTX_use_PrivateKey(context, attempt->key) == 1;
    if (ok)
        return context;
    status_fail(status, OUTCOME_INTERNAL, "this OpenSSL cannot make such a TLS connection: %s",
                tls_failure_reason(NULL));
    SSL_CTX_free(context);
    return NULL;
}

enum step { STEP_DONE, STEP_AGAIN, STEP_ENDED, STEP_LATE };

static enum step after(SSL *ssl, int fd, int result, const struct deadline *deadline)
{
    switch (result > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, result)) {
    case SSL_ERROR_NONE:
        return STEP_DONE;
    case SSL_ERROR_WANT_READ:
        return wait_for(fd, POLLIN, deadline) ? STEP_AGAIN : STEP_LATE;
    case SSL_ERROR_WANT_WRITE:
        return wait_for(fd, POLLOUT, deadline) ? STEP_AGAIN : STEP_LATE;
    default:
        return STEP_ENDED;
    }
}

static enum step handshake(SSL *ssl, int fd, const struct deadline *deadline)
{
    enum step step;

    while ((step = after(ssl, fd, SSL_connect(ssl), deadline)) == STEP_AGAIN)
        continue;
    return step;
}

static enum step send_request(SSL *ssl, int fd, const struct tls_try *attempt,
                              const struct deadline *deadline)
{
    int length = (int)attempt->request_bytes;
    enum step step;

    while ((step = after(ssl, fd, SSL_write(ssl, attempt->request, length), deadline)) ==
           STEP_AGAIN)
        continue;
    return step;
}

/* Up to the end of the connection: the request asks for it. */
static enum step read_answer(SSL *ssl, int fd, struct buf *answer, const struct deadline *deadline)
{
    for (;;) {
        uint8_t *room = buf_reserve(answer, READ_BYTES);
        int got = room != NULL ? SSL_read(ssl, room, READ_BYTES) : 0;
        enum step step = room != NULL ? after(ssl, fd, got, deadline) : STEP_ENDED;

        if (step == STEP_DONE)
            answer->length += (size_t)got;
        else if (step != STEP_AGAIN)
            return step;
    }
}

static void judge_answer(const struct buf *answer, struct tls_outcome *outcome)
{
    outcome->verdict = TLS_ANSWERED;
    if (answer->length >= CODE_END && memcmp(answer->data, "HTTP/1.", strlen("HTTP/1.")) == 0)
        for (size_t i = CODE_PLACE; i < CODE_END; i++)
            outcome->code = outcome->code * 10 + (answer->data[i] - '0');
    outcome->has_keys = octets_have_keys(answer->data, answer->length);
    snprintf(outcome->text, sizeof(outcome->text), "HTTP %d%s", outcome->code,
             outcome->has_keys ? " with keys" : "");
}

static void converse(SSL *ssl, int fd, const struct tls_try *attempt,
                     const struct deadline *deadline, struct tls_outcome *outcome,
                     struct status *status)
{
    enum step step = handshake(ssl, fd, deadline);
    struct buf answer;

    buf_init(&answer, ANSWER_MAX_BYTES);
    if (step == STEP_DONE)
        step = send_request(ssl, fd, attempt, deadline);
    if (step == STEP_DONE)
        step = read_answer(ssl, fd, &answer, deadline);
    if (answer.length > 0) {
        judge_answer(&answer, outcome);
    } else if (step == STEP_LATE) {
        status_fail(status, OUTCOME_TIMEOUT, "neither an answer nor a refusal came in time");
    } else {
        outcome->verdict = TLS_REFUSED;
        snprintf(outcome->text, sizeof(outcome->text), "%s", tls_failure_reason(NULL));
    }
    buf_free(&answer);
}

void tls_try(const struct tls_try *attempt, const struct deadline *deadline,
             struct tls_outcome *outcome, struct status *status)
{
    BIO_METHOD *method = socket_bio_method_new();
    SSL_CTX *context = make_context(attempt, status);
    SSL *ssl = context != NULL ? SSL_new(context) : NULL;
    int fd = ssl != NULL ? connect_any(attempt->address, deadline, status) : -1;
    BIO *bio = fd >= 0 && method != NULL ? socket_bio_new(method, fd) : NULL;

    *outcome = (struct tls_outcome){.verdict = TLS_UNCLEAR};
    ERR_clear_error();
    if (bio != NULL) {
        SSL_set_bio(ssl, bio, bio);
        SSL_set_tlsext_host_name(ssl, attempt->address->host);
        converse(ssl, fd, attempt, deadline, outcome, status);
    } else {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for a connection");
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    BIO_meth_free(method);
    if (fd >= 0)
        close(fd);
    ERR_clear_error();
}
