/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A QUIC server that answers a request line of HTTP/0.9 with the group and the QKD key of its
 * connection. Needs OpenSSL 3.5 or later.
 *
 *     quic-server PORT CERT.pem KEY.pem
 *
 * One connection at a time; one that says nothing ends by QUIC's idle timeout, 30 s.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/quic.h>
#include <openssl/ssl.h>

enum { LINE_MAX_BYTES = 400, REQUEST_MAX_BYTES = 1000, SHUTDOWN_ROUNDS_MAX = 100 };

static int failed(const char *what)
{
    fprintf(stderr, "quic-server: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    ERR_clear_error();
    return EXIT_FAILURE;
}

/* HTTP/0.9 over QUIC, the only protocol that we speak. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                           const unsigned char *offered, unsigned int offered_length,
                           void *argument)
{
    static const unsigned char ours[] = "\x0ahq-interop";

    (void)ssl;
    (void)argument;
    if (SSL_select_next_proto((unsigned char **)chosen, length, ours, sizeof(ours) - 1, offered,
                              offered_length) == OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_OK;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* docs/application.md explains the parameter. */
static void describe(SSL *connection, char line[LINE_MAX_BYTES])
{
    const char *group = SSL_get0_group_name(connection);
    EVP_PKEY *key = NULL;
    char key_id[37];

    ERR_set_mark();
    if (SSL_get_peer_tmp_key(connection, &key) != 1 ||
        EVP_PKEY_get_utf8_string_param(key, "qkd-key-id", key_id, sizeof(key_id), NULL) != 1)
        snprintf(key_id, sizeof(key_id), "none");
    ERR_pop_to_mark();
    EVP_PKEY_free(key);
    snprintf(line, LINE_MAX_BYTES, "hello by QUIC: group %s, QKD key %s\n",
             group != NULL ? group : "unknown", key_id);
}

/* Reads up to the end of the line; 0 when the stream ends or is too long before that. */
static int read_request(SSL *connection)
{
    char request[REQUEST_MAX_BYTES];
    size_t length = 0, more;

    while (length < sizeof(request) &&
           SSL_read_ex(connection, request + length, sizeof(request) - length, &more) == 1) {
        length += more;
        if (memchr(request, '\n', length) != NULL)
            return 1;
    }
    return 0;
}

static void serve(SSL *connection)
{
    char line[LINE_MAX_BYTES];
    size_t written;

    if (SSL_do_handshake(connection) != 1) {
        failed("the handshake");
        return;
    }
    describe(connection, line);
    fputs(line, stdout);
    fflush(stdout);
    if (!read_request(connection) || SSL_write_ex(connection, line, strlen(line), &written) != 1 ||
        SSL_stream_conclude(connection, 0) != 1)
        failed("the answer");
    for (int i = 0; i < SHUTDOWN_ROUNDS_MAX && SSL_shutdown(connection) == 0; i++)
        ;
}

static int bound_socket(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    perror("quic-server: socket");
    if (fd >= 0)
        close(fd);
    return -1;
}

static int run(SSL_CTX *ctx, int fd)
{
    SSL *listener = SSL_new_listener(ctx, 0), *connection;

    if (listener == NULL || SSL_set_fd(listener, fd) != 1 || SSL_listen(listener) != 1) {
        SSL_free(listener);
        return failed("listening");
    }
    puts("quic-server: ready");
    fflush(stdout);
    while ((connection = SSL_accept_connection(listener, 0)) != NULL) {
        serve(connection);
        SSL_free(connection);
    }
    SSL_free(listener);
    return failed("accepting");
}

int main(int count, char **words)
{
    SSL_CTX *ctx = SSL_CTX_new(OSSL_QUIC_server_method());
    int fd, result;

    if (count != 4) {
        fputs("usage: quic-server PORT CERT.pem KEY.pem\n", stderr);
        SSL_CTX_free(ctx);
        return EXIT_FAILURE;
    }
    if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, words[2]) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, words[3], SSL_FILETYPE_PEM) != 1) {
        SSL_CTX_free(ctx);
        return failed("reading certificate and key");
    }
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    fd = bound_socket(words[1]);
    result = fd >= 0 ? run(ctx, fd) : EXIT_FAILURE;
    if (fd >= 0)
        close(fd);
    SSL_CTX_free(ctx);
    return result;
}
