/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ends.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <string.h>

#include "base/deadline.h"

enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, SILENCE_S = 20 };

static const char page_request[] = "GET / HTTP/1.0\r\n\r\n";

/* When the hellos went by; 0: not yet. */
struct hellos {
    int64_t client_ns;
    int64_t server_ns;
};

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

static SSL_CTX *new_context(const struct end *end)
{
    SSL_CTX *tls = SSL_CTX_new_ex(end->library, NULL, end->method);

    if (tls != NULL && set_up(end, tls))
        return tls;
    SSL_CTX_free(tls);
    return NULL;
}

bool end_open(struct end *end, const char *configuration, bool context_each)
{
    end->library = OSSL_LIB_CTX_new();
    if (end->library == NULL || OSSL_LIB_CTX_load_config(end->library, configuration) != 1)
        return false;
    end->kept = new_context(end);
    if (end->kept == NULL)
        return false;
    if (context_each) {
        SSL_CTX_free(end->kept);
        end->kept = NULL;
    }
    return true;
}

static void note_hello(int write, int version, int content_type, const void *octets, size_t length,
                       SSL *ssl, void *arg)
{
    struct hellos *hellos = arg;

    (void)write;
    (void)version;
    (void)ssl;
    if (content_type != SSL3_RT_HANDSHAKE || length == 0)
        return;
    if (*(const unsigned char *)octets == CLIENT_HELLO)
        hellos->client_ns = monotonic_ns();
    else if (*(const unsigned char *)octets == SERVER_HELLO)
        hellos->server_ns = monotonic_ns();
}

static void set_socket(int fd)
{
    const struct timeval silence = {.tv_sec = SILENCE_S};
    const int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof(silence));
}

static SSL *new_connection(const struct end *end, int fd, struct hellos *hellos)
{
    SSL_CTX *tls = end->kept != NULL ? end->kept : new_context(end);
    SSL *ssl = tls != NULL ? SSL_new(tls) : NULL;

    if (end->kept == NULL)
        SSL_CTX_free(tls);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_msg_callback(ssl, note_hello);
    SSL_set_msg_callback_arg(ssl, hellos);
    return ssl;
}

static bool talk_to_server(SSL *ssl, enum talk talk, int64_t *server_ns)
{
    char octet;

    if (talk == TALK_SAMPLE)
        return SSL_read(ssl, server_ns, sizeof(*server_ns)) == (int)sizeof(*server_ns);
    return SSL_write(ssl, page_request, sizeof(page_request) - 1) > 0 &&
           SSL_read(ssl, &octet, 1) == 1;
}

struct sample end_connect(const struct end *end, const struct sockaddr_in *address, enum talk talk)
{
    struct sample sample = {0};
    struct hellos hellos = {0};
    const int64_t start_ns = monotonic_ns();
    int64_t connected_ns = start_ns;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SSL *ssl = new_connection(end, fd, &hellos);

    set_socket(fd);
    if (ssl != NULL && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
        connected_ns = monotonic_ns();
        sample.ok = SSL_set1_host(ssl, "localhost") == 1 && SSL_connect(ssl) == 1 &&
                    talk_to_server(ssl, talk, &sample.server_ns);
    }
    sample.total_ns = monotonic_ns() - start_ns;
    if (hellos.client_ns != 0)
        sample.client_ns = hellos.client_ns - connected_ns;
    SSL_free(ssl);
    close(fd);
    return sample;
}

bool end_answer(const struct end *end, int fd)
{
    struct hellos hellos = {0};
    SSL *ssl = new_connection(end, fd, &hellos);
    bool ok = false;

    set_socket(fd);
    if (ssl != NULL && SSL_accept(ssl) == 1) {
        const int64_t part_ns = hellos.server_ns - hellos.client_ns;

        ok = SSL_write(ssl, &part_ns, sizeof(part_ns)) == (int)sizeof(part_ns);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    close(fd);
    return ok;
}
