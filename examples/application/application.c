/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ends of a connection that refuse to talk without QKD.
 *
 *     application server PORT CERT.pem KEY.pem    answers each client with what the server sees
 *     application client PORT CA.pem              prints what it sees, and that answer
 *
 * One connection at a time, each wait at most WAIT_S. Exit status: 0, 1 for an error, 2 (client)
 * for a connection without QKD.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "qkd_view.h"

enum { WAIT_S = 10, LINE_MAX_BYTES = 200, EXIT_WITHOUT_QKD = 2 };

static int failed(const char *what)
{
    fprintf(stderr, "application: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    ERR_clear_error();
    return EXIT_FAILURE;
}

static void wait_at_most(BIO *connection)
{
    struct timeval limit = {.tv_sec = WAIT_S};
    int fd = (int)BIO_get_fd(connection, NULL);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* One line about this connection; whether it has QKD. */
static int describe(SSL *ssl, char line[LINE_MAX_BYTES])
{
    struct qkd_view view;
    int used = qkd_view(ssl, &view);

    if (used)
        snprintf(line, LINE_MAX_BYTES, "group %s, QKD key %s, we are its %s\n", view.group,
                 view.key_id, view.role);
    else
        snprintf(line, LINE_MAX_BYTES, "no QKD key in this connection, group %s\n", view.group);
    return used;
}

static void serve(SSL_CTX *ctx, BIO *connection)
{
    SSL *ssl = SSL_new(ctx);
    char line[LINE_MAX_BYTES];
    int used;

    wait_at_most(connection);
    if (ssl == NULL) {
        BIO_free_all(connection);
        return;
    }
    SSL_set_bio(ssl, connection, connection);
    if (SSL_accept(ssl) != 1) {
        failed("the handshake");
        SSL_free(ssl);
        return;
    }
    used = describe(ssl, line);
    printf("server: %s", line);
    fflush(stdout);
    /* Without QKD it says nothing. */
    if (!used || SSL_write(ssl, line, (int)strlen(line)) > 0)
        SSL_shutdown(ssl);
    SSL_free(ssl);
}

static int run_server(SSL_CTX *ctx, const char *port, char **files)
{
    char address[32];
    BIO *listener;

    snprintf(address, sizeof(address), "127.0.0.1:%s", port);
    listener = BIO_new_accept(address);
    if (SSL_CTX_use_certificate_chain_file(ctx, files[0]) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, files[1], SSL_FILETYPE_PEM) != 1 || listener == NULL ||
        BIO_set_bind_mode(listener, BIO_BIND_REUSEADDR) != 1 || BIO_do_accept(listener) != 1) {
        BIO_free(listener);
        return failed("starting");
    }
    while (BIO_do_accept(listener) == 1)
        serve(ctx, BIO_pop(listener));
    BIO_free(listener);
    return failed("accepting");
}

static int converse(SSL *ssl)
{
    char line[LINE_MAX_BYTES];
    int used = describe(ssl, line), length;

    printf("client: %s", line);
    if (!used)
        return EXIT_WITHOUT_QKD;
    length = SSL_read(ssl, line, sizeof(line));
    if (length <= 0)
        return failed("reading");
    printf("server says: %.*s", length, line);
    SSL_shutdown(ssl);
    return EXIT_SUCCESS;
}

/* NULL on failure; takes the connection over. */
static SSL *shake_hands(SSL_CTX *ctx, BIO *connection)
{
    SSL *ssl = SSL_new(ctx);

    /* BIO_do_connect_retry has made it one that does not block. */
    BIO_socket_nbio((int)BIO_get_fd(connection, NULL), 0);
    wait_at_most(connection);
    if (ssl == NULL) {
        BIO_free_all(connection);
        return NULL;
    }
    SSL_set_bio(ssl, connection, connection);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), "localhost", 0) == 1 &&
        SSL_set_tlsext_host_name(ssl, "localhost") == 1 && SSL_connect(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static int run_client(SSL_CTX *ctx, const char *port, char **files)
{
    BIO *connection;
    char address[32];
    SSL *ssl;
    int result;

    if (SSL_CTX_load_verify_locations(ctx, files[0], NULL) != 1)
        return failed("reading the CA's certificate");
    snprintf(address, sizeof(address), "127.0.0.1:%s", port);
    connection = BIO_new_connect(address);
    if (connection == NULL || BIO_do_connect_retry(connection, WAIT_S, -1) != 1) {
        BIO_free_all(connection);
        return failed("connecting");
    }
    ssl = shake_hands(ctx, connection);
    if (ssl == NULL)
        return failed("the handshake");
    result = converse(ssl);
    SSL_free(ssl);
    return result;
}

int main(int count, char **words)
{
    int server = count == 5 && strcmp(words[1], "server") == 0;
    int client = count == 4 && strcmp(words[1], "client") == 0;
    SSL_CTX *ctx;
    int result;

    if (!server && !client) {
        fputs("usage: application server PORT CERT.pem KEY.pem | client PORT CA.pem\n", stderr);
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (ctx == NULL)
        return failed("reading OpenSSL's configuration");
    result = server ? run_server(ctx, words[2], words + 3) : run_client(ctx, words[2], words + 3);
    SSL_CTX_free(ctx);
    return result;
}
