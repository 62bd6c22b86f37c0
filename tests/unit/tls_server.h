/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS server that takes a step when it is told to: both ends of a connection in one thread. */
#ifndef QKD_TESTS_UNIT_TLS_SERVER_H
#define QKD_TESTS_UNIT_TLS_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/unit/pem.h"

#include "net/endpoint.h"

enum { TLS_SERVER_BACKLOG = 8 };

struct tls_server {
    SSL_CTX *ctx;
    SSL *ssl; /* the one connection */
    int listener;
    int fd;        /* of the connection; -1 without */
    uint16_t port; /* in host order */
    const struct temp *temp;
};

/* On 127.0.0.1 or ::1; `port` 0 for any. -1 when this machine has no such address. */
static inline int tls_server_listen(int family, uint16_t port, int backlog)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 ipv6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int on = 1, fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, family == AF_INET ? (struct sockaddr *)&ipv4 : (struct sockaddr *)&ipv6,
             family == AF_INET ? sizeof(ipv4) : sizeof(ipv6)) == 0 &&
        listen(fd, backlog) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline uint16_t tls_server_port(int listener)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);

    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.ss_family == AF_INET ? ((const struct sockaddr_in *)&address)->sin_port
                                              : ((const struct sockaddr_in6 *)&address)->sin6_port);
}

/* Takes the listener over; the identity is that of pem_write_identity. */
static inline void tls_server_make(struct tls_server *server, const struct temp *files,
                                   int listener)
{
    char cert[TEMP_PATH_BYTES], key[TEMP_PATH_BYTES];

    *server = (struct tls_server){.fd = -1, .listener = listener, .temp = files};
    assert_true(listener >= 0);
    server->port = tls_server_port(listener);
    server->ctx = SSL_CTX_new(TLS_server_method());
    temp_path(files, "cert.pem", cert);
    temp_path(files, "key.pem", key);
    assert_int_equal(SSL_CTX_use_certificate_file(server->ctx, cert, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(server->ctx, key, SSL_FILETYPE_PEM), 1);
    SSL_CTX_set_mode(server->ctx, SSL_MODE_AUTO_RETRY);
}

/* Drops the connection, so that another can come. */
static inline void tls_server_drop(struct tls_server *server)
{
    SSL_free(server->ssl);
    server->ssl = NULL;
    if (server->fd >= 0)
        close(server->fd);
    server->fd = -1;
}

static inline void tls_server_free(struct tls_server *server)
{
    tls_server_drop(server);
    SSL_CTX_free(server->ctx);
    close(server->listener);
}

/* Goes on as far as it can without waiting; gives up a connection that failed. */
static inline void tls_server_step(struct tls_server *server)
{
    int result;

    if (server->fd < 0) {
        server->fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (server->fd < 0)
            return;
        server->ssl = SSL_new(server->ctx);
        SSL_set_fd(server->ssl, server->fd);
    }
    result = SSL_accept(server->ssl);
    if (result != 1 && SSL_get_error(server->ssl, result) != SSL_ERROR_WANT_READ)
        tls_server_drop(server);
    ERR_clear_error();
}

static inline void tls_server_read_file(const struct temp *files, const char *name, struct buf *to)
{
    char path[TEMP_PATH_BYTES];
    FILE *file;
    int octet;

    temp_path(files, name, path);
    file = fopen(path, "r");
    assert_non_null(file);
    while ((octet = fgetc(file)) != EOF)
        buf_put(to, &(char){(char)octet}, 1);
    fclose(file);
}

/* What reaches the server as "localhost" at this port, with its own identity. */
static inline struct endpoint *tls_server_endpoint_with(const struct temp *files, uint16_t port,
                                                        const struct endpoint_tls *tls)
{
    static const char *const names[] = {"cert.pem", "key.pem", "cert.pem"};
    struct endpoint_address address = {.api = ENDPOINT_ETSI014, .host = "localhost"};
    struct endpoint *endpoint;
    struct buf pem[3];

    snprintf(address.port, sizeof(address.port), "%u", port);
    for (size_t i = 0; i < COUNT_OF(pem); i++) {
        buf_init(&pem[i], ENDPOINT_PEM_MAX_BYTES);
        tls_server_read_file(files, names[i], &pem[i]);
    }
    endpoint = endpoint_new(&address, tls, &pem[0], &pem[1], &pem[2]);
    assert_non_null(endpoint);
    return endpoint;
}

static inline struct endpoint *tls_server_endpoint(const struct temp *files, uint16_t port)
{
    static const struct endpoint_tls ours = {NULL, false};

    return tls_server_endpoint_with(files, port, &ours);
}

#endif
