/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/deadline.h"

enum { READ_BYTES = 16384, WAIT_MS = 10000, PAUSE_MS = 1, NS_PER_MS = 1000000 };

static bool complain(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    ERR_print_errors_fp(stderr);
    return false;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

bool load_connect(struct load_client *client, SSL_CTX *tls, int port)
{
    memset(client, 0, sizeof(*client));
    buf_init(&client->in, LOAD_ANSWER_MAX_BYTES);
    buf_init(&client->out, LOAD_ANSWER_MAX_BYTES);
    client->fd = connect_to(port);
    client->tls = SSL_new(tls);
    if (client->fd < 0 || client->tls == NULL || SSL_set_fd(client->tls, client->fd) != 1 ||
        SSL_set1_host(client->tls, "localhost") != 1 || SSL_connect(client->tls) != 1)
        return complain("cannot connect");
    return true;
}

void load_disconnect(struct load_client *client)
{
    if (client->tls == NULL)
        return;
    SSL_free(client->tls);
    close(client->fd);
    buf_free(&client->in);
    buf_free(&client->out);
    client->tls = NULL;
}

/* A request is far smaller than the socket's buffer: it is written at once. */
static bool send_out(struct load_client *client)
{
    bool sent = SSL_write(client->tls, client->out.data, (int)client->out.length) ==
                (int)client->out.length;

    buf_reset(&client->out);
    return sent || complain("cannot send a request");
}

/* *more says whether there may be more to read. */
static bool receive(struct load_client *client, bool *more)
{
    uint8_t *room = buf_reserve(&client->in, READ_BYTES);
    int count;

    *more = false;
    if (room == NULL)
        return complain("an answer is too large");
    count = SSL_read(client->tls, room, READ_BYTES);
    if (count <= 0)
        return SSL_get_error(client->tls, count) == SSL_ERROR_WANT_READ ||
               complain("a connection has ended");
    client->in.length += (size_t)count;
    *more = true;
    return true;
}

bool load_exchange(struct load_client *client,
                   bool (*is_whole)(const struct buf *in, size_t *length))
{
    size_t length = 0;
    bool more;

    buf_reset(&client->in);
    if (!send_out(client))
        return false;
    while (!is_whole(&client->in, &length) || length == 0)
        if (!receive(client, &more))
            return false;
    return true;
}

static bool ask_next(struct load *load, struct load_client *client, int64_t until_ns)
{
    client->busy = false;
    client->resume_ns = 0;
    client->asked_ns = monotonic_ns();
    if (client->asked_ns >= until_ns || load->sample_count == LOAD_SAMPLES_MAX ||
        !load->ask(load, client))
        return true;
    client->busy = true;
    return send_out(client);
}

static bool take_answers(struct load *load, struct load_client *client, int64_t until_ns)
{
    struct load_answer answer;

    while (client->busy) {
        answer = (struct load_answer){0, 0};
        if (!load->take(load, client, &answer))
            return complain("an answer that is none");
        if (answer.length == 0)
            return true;
        buf_consume(&client->in, answer.length);
        load->samples_ns[load->sample_count++] = monotonic_ns() - client->asked_ns;
        load->answers++;
        load->refused += answer.keys == 0;
        load->keys += answer.keys;
        if (answer.keys == 0) {
            client->busy = false;
            client->resume_ns = monotonic_ns() + PAUSE_MS * NS_PER_MS;
        } else if (!ask_next(load, client, until_ns)) {
            return false;
        }
    }
    return true;
}

static bool resume(struct load *load, struct load_client *clients, size_t count, int64_t until_ns)
{
    for (size_t i = 0; i < count; i++)
        if (clients[i].resume_ns != 0 && clients[i].resume_ns <= monotonic_ns() &&
            !ask_next(load, &clients[i], until_ns))
            return false;
    return true;
}

static bool serve(struct load *load, struct load_client *client, int64_t until_ns)
{
    bool more = true;

    while (more)
        if (!receive(client, &more) || !take_answers(load, client, until_ns))
            return false;
    return true;
}

/* What may still come from the clients. */
struct outlook {
    bool busy, paused;
};

static struct outlook look(const struct load_client *clients, size_t count)
{
    struct outlook outlook = {false, false};

    for (size_t i = 0; i < count; i++) {
        outlook.busy |= clients[i].busy;
        outlook.paused |= clients[i].resume_ns != 0;
    }
    return outlook;
}

static bool watch(int poll, struct load_client *client)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

    return fcntl(client->fd, F_SETFL, O_NONBLOCK) == 0 &&
           epoll_ctl(poll, EPOLL_CTL_ADD, client->fd, &event) == 0;
}

static bool turn(struct load *load, int poll, bool paused, int64_t until_ns)
{
    struct epoll_event events[LOAD_CLIENTS_MAX];
    int ready = epoll_wait(poll, events, LOAD_CLIENTS_MAX, paused ? PAUSE_MS : WAIT_MS);

    if (ready < 0 || (ready == 0 && !paused))
        return complain("no answer within 10 s");
    for (int i = 0; i < ready; i++)
        if (!serve(load, events[i].data.ptr, until_ns))
            return false;
    return true;
}

bool load_run(struct load *load, struct load_client *clients, size_t count, int64_t until_ns)
{
    int64_t start_ns = monotonic_ns();
    int poll = epoll_create1(EPOLL_CLOEXEC);
    bool good = poll >= 0;

    for (size_t i = 0; good && i < count; i++)
        good = watch(poll, &clients[i]) && ask_next(load, &clients[i], until_ns);
    for (struct outlook next = look(clients, count); good && (next.busy || next.paused);
         next = look(clients, count))
        good = turn(load, poll, next.paused, until_ns) && resume(load, clients, count, until_ns);
    for (size_t i = 0; i < count; i++)
        fcntl(clients[i].fd, F_SETFL, 0);
    if (poll >= 0)
        close(poll);
    load->busy_ns += monotonic_ns() - start_ns;
    return good;
}
