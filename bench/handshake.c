/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ends of the handshake measurement, as processes of their own.
 *
 *     handshake server CNF CERT KEY
 *         prints "port N", then answers one octet to each connection until SIGTERM
 *     handshake client CA HANDSHAKES [NAME PORT CNF GROUP]...
 *         makes that many handshakes in each arm, in turn, and prints "NAME NANOSECONDS" for each:
 *         from before connect(2) until the server's octet has come, so that both ends are through
 *
 * Each configuration file has a library context of its own, so that arms with different settings
 * of the provider share a process. Nothing is resumed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/deadline.h"

enum { ARMS_MAX = 32, WARM_UP = 25, BACKLOG = 64 };

struct arm {
    const char *name;
    int port;
    SSL_CTX *tls;
};

static int die(const char *what)
{
    fprintf(stderr, "handshake: %s\n", what);
    ERR_print_errors_fp(stderr);
    return 1;
}

/* A library context with the configuration file's providers and TLS settings. */
static SSL_CTX *new_tls(const char *configuration, const SSL_METHOD *method)
{
    OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();
    SSL_CTX *tls;

    if (library == NULL || OSSL_LIB_CTX_load_config(library, configuration) != 1)
        return NULL;
    tls = SSL_CTX_new_ex(library, NULL, method);
    if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1)
        return NULL;
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(tls, 0);
    return tls;
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return -1;
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void answer(SSL_CTX *tls, int fd)
{
    SSL *ssl = SSL_new(tls);
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1 &&
        SSL_write(ssl, "!", 1) == 1)
        SSL_shutdown(ssl);
    else
        die("a handshake failed at the server");
    ERR_clear_error();
    SSL_free(ssl);
    close(fd);
}

static int serve(char **words)
{
    SSL_CTX *tls = new_tls(words[0], TLS_server_method());
    int listener;

    if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, words[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, words[2], SSL_FILETYPE_PEM) != 1)
        return die("cannot set up the server");
    listener = listen_on_loopback();
    if (listener < 0)
        return die(strerror(errno));
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0)
            answer(tls, fd);
        else if (errno != EINTR)
            return die(strerror(errno));
    }
}

static bool one_handshake(SSL_CTX *tls, int port, int64_t *elapsed_ns)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int64_t start_ns = monotonic_ns();
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SSL *ssl = SSL_new(tls);
    char octet;
    bool ok;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ok = ssl != NULL && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
         SSL_set_fd(ssl, fd) == 1 && SSL_set1_host(ssl, "localhost") == 1 &&
         SSL_connect(ssl) == 1 && SSL_read(ssl, &octet, 1) == 1;
    *elapsed_ns = monotonic_ns() - start_ns;
    SSL_free(ssl);
    close(fd);
    return ok;
}

static int measure(const struct arm *arms, size_t count, long handshakes)
{
    for (long i = -WARM_UP; i < handshakes; i++) {
        for (size_t arm = 0; arm < count; arm++) {
            int64_t elapsed_ns;

            if (!one_handshake(arms[arm].tls, arms[arm].port, &elapsed_ns))
                return die(arms[arm].name);
            if (i >= 0)
                printf("%s %lld\n", arms[arm].name, (long long)elapsed_ns);
        }
    }
    return 0;
}

static int run_client(int count, char **words)
{
    struct arm arms[ARMS_MAX];
    size_t arm_count = 0;

    for (int i = 2; i + 3 < count && arm_count < ARMS_MAX; i += 4) {
        struct arm *arm = &arms[arm_count++];

        arm->name = words[i];
        arm->port = atoi(words[i + 1]);
        arm->tls = new_tls(words[i + 2], TLS_client_method());
        if (arm->tls == NULL || SSL_CTX_set1_groups_list(arm->tls, words[i + 3]) != 1 ||
            SSL_CTX_load_verify_file(arm->tls, words[0]) != 1)
            return die(arm->name);
        SSL_CTX_set_verify(arm->tls, SSL_VERIFY_PEER, NULL);
    }
    return measure(arms, arm_count, atol(words[1]));
}

int main(int count, char **words)
{
    signal(SIGPIPE, SIG_IGN);
    if (count == 5 && strcmp(words[1], "server") == 0)
        return serve(words + 2);
    if (count >= 8 && strcmp(words[1], "client") == 0)
        return run_client(count - 2, words + 2);
    fprintf(stderr, "usage: handshake server CNF CERT KEY\n"
                    "       handshake client CA HANDSHAKES [NAME PORT CNF GROUP]...\n");
    return 2;
}
