/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ends of the handshake measurement, as processes of their own.
 *
 *     handshake server CNF CERT KEY
 *         prints "port N", then answers one octet to each connection until SIGTERM
 *     handshake client CA HANDSHAKES [NAME PORT CNF GROUP]...
 *         makes that many handshakes in each arm, in turn, and prints "NAME NANOSECONDS" for each:
 *         from before connect(2) until the server's octet has come, so that both ends are through
 *     handshake fresh-server ..., handshake fresh-client ...
 *         the same with an SSL_CTX of its own for each connection, made within the measured time,
 *         as curl does
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

/* One end of the handshakes of an arm. */
struct end {
    OSSL_LIB_CTX *library;
    const SSL_METHOD *method;
    const char *cert, *key;  /* of a server, or NULL */
    const char *ca, *groups; /* of a client, or NULL */
    SSL_CTX *kept;           /* NULL: a new one for each connection */
};

struct arm {
    const char *name;
    int port;
    struct end end;
};

static int die(const char *what)
{
    fprintf(stderr, "handshake: %s\n", what);
    ERR_print_errors_fp(stderr);
    return 1;
}

static bool set_up(const struct end *end, SSL_CTX *tls)
{
    if (SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1)
        return false;
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(tls, 0);
    if (end->cert != NULL)
        return SSL_CTX_use_certificate_chain_file(tls, end->cert) == 1 &&
               SSL_CTX_use_PrivateKey_file(tls, end->key, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    return SSL_CTX_set1_groups_list(tls, end->groups) == 1 &&
           SSL_CTX_load_verify_file(tls, end->ca) == 1;
}

static SSL_CTX *new_tls(const struct end *end)
{
    SSL_CTX *tls = SSL_CTX_new_ex(end->library, NULL, end->method);

    if (tls != NULL && set_up(end, tls))
        return tls;
    SSL_CTX_free(tls);
    return NULL;
}

/* Makes a library context with the configuration file's providers. Where every connection is to
 * have an SSL_CTX of its own, the first is only tried. */
static bool open_end(struct end *end, const char *configuration, bool fresh)
{
    end->library = OSSL_LIB_CTX_new();
    if (end->library == NULL || OSSL_LIB_CTX_load_config(end->library, configuration) != 1)
        return false;
    end->kept = new_tls(end);
    if (end->kept == NULL)
        return false;
    if (fresh) {
        SSL_CTX_free(end->kept);
        end->kept = NULL;
    }
    return true;
}

static SSL *new_connection(const struct end *end)
{
    SSL_CTX *tls = end->kept != NULL ? end->kept : new_tls(end);
    SSL *ssl = tls != NULL ? SSL_new(tls) : NULL;

    if (end->kept == NULL)
        SSL_CTX_free(tls);
    return ssl;
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

static void answer(const struct end *end, int fd)
{
    SSL *ssl = new_connection(end);
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

static int serve(char **words, bool fresh)
{
    struct end end = {.method = TLS_server_method(), .cert = words[1], .key = words[2]};
    int listener;

    if (!open_end(&end, words[0], fresh))
        return die("cannot set up the server");
    listener = listen_on_loopback();
    if (listener < 0)
        return die(strerror(errno));
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0)
            answer(&end, fd);
        else if (errno != EINTR)
            return die(strerror(errno));
    }
}

static bool one_handshake(const struct end *end, int port, int64_t *elapsed_ns)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int64_t start_ns = monotonic_ns();
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SSL *ssl = new_connection(end);
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
        for (size_t turn = 0; turn < count; turn++) {
            const struct arm *arm = &arms[turn];
            int64_t elapsed_ns;

            if (!one_handshake(&arm->end, arm->port, &elapsed_ns))
                return die(arm->name);
            if (i >= 0)
                printf("%s %lld\n", arm->name, (long long)elapsed_ns);
        }
    }
    return 0;
}

static int run_client(int count, char **words, bool fresh)
{
    struct arm arms[ARMS_MAX];
    size_t arm_count = 0;

    for (int i = 2; i + 3 < count && arm_count < ARMS_MAX; i += 4) {
        struct arm *arm = &arms[arm_count++];

        arm->name = words[i];
        arm->port = atoi(words[i + 1]);
        arm->end =
            (struct end){.method = TLS_client_method(), .ca = words[0], .groups = words[i + 3]};
        if (!open_end(&arm->end, words[i + 2], fresh))
            return die(arm->name);
    }
    return measure(arms, arm_count, atol(words[1]));
}

int main(int count, char **words)
{
    const char *what = count > 1 ? words[1] : "";
    bool fresh = strncmp(what, "fresh-", strlen("fresh-")) == 0;

    signal(SIGPIPE, SIG_IGN);
    if (fresh)
        what += strlen("fresh-");
    if (count == 5 && strcmp(what, "server") == 0)
        return serve(words + 2, fresh);
    if (count >= 8 && strcmp(what, "client") == 0)
        return run_client(count - 2, words + 2, fresh);
    fprintf(stderr, "usage: handshake [fresh-]server CNF CERT KEY\n"
                    "       handshake [fresh-]client CA HANDSHAKES [NAME PORT CNF GROUP]...\n");
    return 2;
}
