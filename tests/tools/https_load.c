/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches a page over a new TLS 1.3 connection each time, in several threads: completed means that
 * the answer came, so that both ends are through with the handshake.
 *
 *     https_load CA PORT CONNECTIONS THREADS RETRIES
 *
 * Groups and providers come from OPENSSL_CONF. A connection that fails is tried again, RETRIES
 * times at most. SIGTERM lets those under way finish and begins no more. Prints one line for each
 * failure, "failed STAGE REASON", and at the end "completed N failed M". Exit code 1 when a
 * connection failed for good.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum {
    THREADS_MAX = 64,
    CONNECTIONS_MAX = 1000000,
    RETRIES_MAX = 1000,
    ANSWER_MAX_BYTES = 65536,
    SILENCE_MAX_S = 20,
};

enum stage { STAGE_CONNECT, STAGE_HANDSHAKE, STAGE_ANSWER, STAGE_DONE };

static const char *const stage_names[] = {
    [STAGE_CONNECT] = "connect",
    [STAGE_HANDSHAKE] = "handshake",
    [STAGE_ANSWER] = "answer",
};

struct load {
    SSL_CTX *tls;
    struct sockaddr_in address;
    int connections;
    int retries;
    atomic_int begun;
    atomic_int completed;
    atomic_int failed;
    atomic_bool gave_up;
};

static const char request[] = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";
static const char good_answer[] = "HTTP/1.1 200 ";

static int open_socket(const struct load *load)
{
    struct timeval limit = {.tv_sec = SILENCE_MAX_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (const struct sockaddr *)&load->address, sizeof(load->address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The whole answer up to the end of the connection; it has to be one of code 200. */
static bool read_answer(SSL *ssl)
{
    char answer[ANSWER_MAX_BYTES];
    int length = 0, got;

    while (length < ANSWER_MAX_BYTES &&
           (got = SSL_read(ssl, answer + length, ANSWER_MAX_BYTES - length)) > 0)
        length += got;
    return length > (int)strlen(good_answer) &&
           memcmp(answer, good_answer, strlen(good_answer)) == 0;
}

static enum stage fetch(SSL *ssl, int fd)
{
    if (SSL_set_fd(ssl, fd) != 1 || SSL_set1_host(ssl, "localhost") != 1 ||
        SSL_set_tlsext_host_name(ssl, "localhost") != 1 || SSL_connect(ssl) != 1)
        return STAGE_HANDSHAKE;
    if (SSL_write(ssl, request, (int)strlen(request)) <= 0 || !read_answer(ssl))
        return STAGE_ANSWER;
    SSL_shutdown(ssl);
    return STAGE_DONE;
}

static void tell(enum stage stage, int error)
{
    unsigned long reason = ERR_peek_error();
    const char *text = ERR_reason_error_string(reason);

    printf("failed %s %s\n", stage_names[stage],
           text != NULL ? text : (error != 0 ? strerror(error) : "end of connection"));
}

static bool one_connection(const struct load *load)
{
    enum stage stage = STAGE_CONNECT;
    SSL *ssl = NULL;
    int fd;

    ERR_clear_error();
    errno = 0;
    fd = open_socket(load);
    if (fd >= 0)
        ssl = SSL_new(load->tls);
    if (ssl != NULL)
        stage = fetch(ssl, fd);
    if (stage != STAGE_DONE)
        tell(stage, errno);
    SSL_free(ssl);
    if (fd >= 0)
        close(fd);
    return stage == STAGE_DONE;
}

/* SIGTERM is blocked in every thread, and stays pending. */
static bool told_to_stop(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1;
}

static void *work(void *vload)
{
    struct load *load = vload;

    while (!told_to_stop() && atomic_fetch_add(&load->begun, 1) < load->connections) {
        int tries = 0;
        bool ok;

        while (!(ok = one_connection(load)) && tries++ < load->retries)
            atomic_fetch_add(&load->failed, 1);
        atomic_fetch_add(ok ? &load->completed : &load->failed, 1);
        if (!ok)
            atomic_store(&load->gave_up, true);
    }
    return NULL;
}

static bool read_number(const char *text, long least, long most, int *number)
{
    char *end;
    long value = strtol(text, &end, 10);

    *number = (int)value;
    return *text != '\0' && *end == '\0' && value >= least && value <= most;
}

static int die(const char *what)
{
    fprintf(stderr, "https_load: %s\n", what);
    ERR_print_errors_fp(stderr);
    return 2;
}

static int run(struct load *load, int threads)
{
    pthread_t started[THREADS_MAX];
    sigset_t stop;
    int count = 0;

    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    while (count < threads && pthread_create(&started[count], NULL, work, load) == 0)
        count++;
    for (int i = 0; i < count; i++)
        pthread_join(started[i], NULL);
    if (count < threads)
        return die("cannot start a thread");
    printf("completed %d failed %d\n", atomic_load(&load->completed), atomic_load(&load->failed));
    return atomic_load(&load->gave_up) ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct load load = {.address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    int port, threads, code;

    if (argc != 6 || !read_number(argv[2], 1, 65535, &port) ||
        !read_number(argv[3], 1, CONNECTIONS_MAX, &load.connections) ||
        !read_number(argv[4], 1, THREADS_MAX, &threads) ||
        !read_number(argv[5], 0, RETRIES_MAX, &load.retries))
        return die("usage: https_load CA PORT CONNECTIONS THREADS RETRIES");
    load.address.sin_port = htons((uint16_t)port);
    load.tls = SSL_CTX_new(TLS_client_method());
    if (load.tls == NULL || SSL_CTX_set_min_proto_version(load.tls, TLS1_3_VERSION) != 1 ||
        SSL_CTX_load_verify_locations(load.tls, argv[1], NULL) != 1)
        return die("cannot set up TLS");
    SSL_CTX_set_verify(load.tls, SSL_VERIFY_PEER, NULL);
    code = run(&load, threads);
    SSL_CTX_free(load.tls);
    return code;
}
