/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's own side of a handshake: "connect HOST PORT own" with what the file gives every
 * program, "connect HOST PORT plain" as one that knows no QKD. The server's certificate is looked
 * at by nobody: this is about the key exchange, and no data is sent.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "ctl/doctor_program.h"

enum { SOCKET_LIMIT_S = 5 };

static int connect_any(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval limit = {.tv_sec = SOCKET_LIMIT_S};
    struct addrinfo *found = NULL;
    int fd = -1, fault = getaddrinfo(host, port, &hints, &found);

    if (fault != 0)
        doctor_program_say("handshake-error", "connect: %s: %s", host, gai_strerror(fault));
    for (const struct addrinfo *one = found; one != NULL && fd < 0; one = one->ai_next) {
        fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
                       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
                       connect(fd, one->ai_addr, one->ai_addrlen) == 0))
            continue;
        if (one->ai_next == NULL)
            doctor_program_say("handshake-error", "connect: %s", strerror(errno));
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static void say_result(SSL *ssl, int result)
{
    int fault = SSL_get_error(ssl, result), system = errno;
    int group;

    if (result == 1) {
        group = (int)SSL_get_negotiated_group(ssl);
        doctor_program_say("handshake", "done");
        doctor_program_say("negotiated", "%s %s", SSL_get_version(ssl),
                           group != 0 ? SSL_group_to_name(ssl, group) : "none");
        return;
    }
    if (ERR_peek_error() != 0)
        doctor_program_say_errors("handshake-error");
    else if (fault == SSL_ERROR_SYSCALL && system != 0 && system != EAGAIN)
        doctor_program_say("handshake-error", "the connection broke: %s", strerror(system));
    else
        doctor_program_say("handshake-error",
                           "the server did not answer, or closed the connection");
}

/* A client that knows no QKD takes what every TLS library has. */
static bool make_plain(SSL_CTX *context)
{
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1;
}

static SSL *make_client(SSL_CTX *context, const char *host, bool plain)
{
    SSL *ssl = NULL;

    if (context != NULL && (!plain || make_plain(context)))
        ssl = SSL_new(context);
    if (ssl != NULL)
        SSL_set_tlsext_host_name(ssl, host);
    else
        doctor_program_say_errors("handshake-error");
    return ssl;
}

enum exit_code doctor_program_connect(int argc, char **argv)
{
    SSL_CTX *context;
    SSL *ssl;
    int fd = -1;

    if (argc != 4 || signal(SIGPIPE, SIG_IGN) == SIG_ERR || !doctor_program_load())
        return EXIT_USAGE;
    doctor_program_say("at", "making the TLS context of a client");
    ERR_clear_error();
    context = SSL_CTX_new(TLS_client_method());
    ssl = make_client(context, argv[1], strcmp(argv[3], "plain") == 0);
    doctor_program_say("at", "connecting");
    if (ssl != NULL)
        fd = connect_any(argv[1], argv[2]);
    if (fd >= 0) {
        SSL_set_fd(ssl, fd);
        doctor_program_say("at", "the handshake");
        ERR_clear_error();
        errno = 0;
        say_result(ssl, SSL_connect(ssl));
        SSL_shutdown(ssl);
        close(fd);
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    return EXIT_DONE;
}
