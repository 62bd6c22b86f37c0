/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's own side of a handshake: "connect HOST PORT own" with what the file gives every
 * program, "connect HOST PORT plain" as one that knows no QKD. Name and dates of the server's
 * certificate are reported; who vouches for it is between each program and its own list of CAs. No
 * data is sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "ctl/check_cert.h"
#include "ctl/doctor_cert.h"
#include "ctl/doctor_program.h"

enum { SOCKET_LIMIT_S = 5, SOON_S = 30 * 24 * 3600 };

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

static bool is_for(X509 *cert, const char *host)
{
    struct in6_addr ip;

    if (inet_pton(AF_INET, host, &ip) == 1 || inet_pton(AF_INET6, host, &ip) == 1)
        return X509_check_ip_asc(cert, host, 0) == 1;
    return X509_check_host(cert, host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

/* "certificate NAME", then what is the matter with it. */
static void say_certificate(SSL *ssl, const char *host)
{
    char name[DOCTOR_CERT_NAME_BYTES], from[DOCTOR_DATE_BYTES], until[DOCTOR_DATE_BYTES];
    X509 *cert = SSL_get1_peer_certificate(ssl);
    time_t soon = time(NULL) + SOON_S;

    if (cert == NULL)
        return;
    doctor_cert_name(cert, name, sizeof(name));
    doctor_cert_date(X509_get0_notBefore(cert), from);
    doctor_cert_date(X509_get0_notAfter(cert), until);
    doctor_program_say("certificate", "'%s', valid until %s", name, until);
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
        doctor_program_say("certificate-invalid", "expired on %s", until);
    else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
        doctor_program_say("certificate-invalid", "is valid only from %s on", from);
    else if (X509_cmp_time(X509_get0_notAfter(cert), &soon) < 0)
        doctor_program_say("certificate-ends", "expires on %s", until);
    if (!is_for(cert, host))
        doctor_program_say("certificate-name", "is not for '%s'", host);
    X509_free(cert);
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
        doctor_program_say("handshake-error", DOCTOR_PROGRAM_BROKE ": %s", strerror(system));
    else
        doctor_program_say("handshake-error", DOCTOR_PROGRAM_SILENCE);
}

/* A certificate for nobody, which lasts an hour; the client does not look at it. */
static bool use_own_certificate(SSL_CTX *context)
{
    static const struct cert_wish wish = {
        .names = {"localhost"}, .purpose = "serverAuth", .until_s = 3600};
    struct identity014 identity;
    struct status status = STATUS_INIT;
    bool used = identity014_make(&wish, &identity, &status) &&
                SSL_CTX_use_certificate(context, identity.cert) == 1 &&
                SSL_CTX_use_PrivateKey(context, identity.key) == 1;

    identity014_free(&identity);
    return used;
}

static int accept_one(int listener)
{
    const struct timeval limit = {.tv_sec = SOCKET_LIMIT_S};
    struct pollfd polled = {.fd = listener, .events = POLLIN};
    int fd = -1;

    if (poll(&polled, 1, SOCKET_LIMIT_S * 1000) > 0)
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    }
    return fd;
}

enum exit_code doctor_program_serve(int argc, char **argv)
{
    SSL_CTX *context;
    SSL *ssl = NULL;
    int fd = -1;

    (void)argv;
    if (argc != 1 || signal(SIGPIPE, SIG_IGN) == SIG_ERR || !doctor_program_load())
        return EXIT_USAGE;
    doctor_program_say("at", "making the TLS context of a server");
    ERR_clear_error();
    context = SSL_CTX_new(TLS_server_method());
    if (context != NULL && use_own_certificate(context))
        ssl = SSL_new(context);
    doctor_program_say_errors("handshake-error");
    if (ssl != NULL)
        fd = accept_one(STDIN_FILENO);
    if (fd >= 0) {
        SSL_set_fd(ssl, fd);
        doctor_program_say("at", DOCTOR_PROGRAM_HANDSHAKE);
        ERR_clear_error();
        errno = 0;
        say_result(ssl, SSL_accept(ssl));
        SSL_shutdown(ssl);
        close(fd);
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    return EXIT_DONE;
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
        doctor_program_say("at", DOCTOR_PROGRAM_HANDSHAKE);
        ERR_clear_error();
        errno = 0;
        say_result(ssl, SSL_connect(ssl));
        if (SSL_is_init_finished(ssl))
            say_certificate(ssl, argv[1]);
        SSL_shutdown(ssl);
        close(fd);
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    return EXIT_DONE;
}
