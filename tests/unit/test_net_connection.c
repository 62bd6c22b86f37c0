/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are made step by step, and what a deadline that has passed still allows. */
#include "tests/unit/unit.h"
#include "tests/unit/identity_files.h"

#include <netinet/tcp.h>
#include <time.h>

#include "net/connection.h"
#include "tests/unit/tls_server.h"

enum { STEPS_MAX = 4000, STEP_NS = 1000000, INPUT_MAX_BYTES = 16384, DESCRIPTORS_MAX = 256 };

static struct deadline passed(void)
{
    return deadline_in_ms(0);
}

static void a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
}

static struct connection *begin(struct endpoint *endpoint)
{
    struct deadline deadline = passed();
    struct status status = STATUS_INIT;
    struct connection *connection = connection_begin(endpoint, &deadline, &status);

    if (connection == NULL)
        fail_msg("%s", status.text);
    return connection;
}

/* Steps of both ends in turn, each of the client's with so much time; how many it took. */
static unsigned make(struct connection *connection, struct tls_server *server, int step_ms)
{
    for (unsigned steps = 1; steps <= STEPS_MAX; steps++) {
        struct deadline deadline = deadline_in_ms(step_ms);
        struct status status = STATUS_INIT;

        if (connection_advance(connection, &deadline, &status))
            return steps;
        assert_failed(&status, OUTCOME_TIMEOUT, "the time budget ended while ");
        tls_server_step(server);
        a_moment();
    }
    fail_msg("not made after %d steps", STEPS_MAX);
    return 0;
}

static void receive(struct connection *connection, struct tls_server *server, const char *text)
{
    struct deadline deadline = passed();
    struct status status = STATUS_INIT;
    struct buf input;
    bool ended = true;
    unsigned steps = 0;

    buf_init(&input, INPUT_MAX_BYTES);
    assert_false(connection_receive(connection, &input, &ended, &deadline, &status));
    assert_failed(&status, OUTCOME_TIMEOUT, "the time budget ended while waiting for the answer");
    assert_int_equal(input.length, 0);
    assert_false(ended);
    tls_server_step(server);
    assert_int_equal(SSL_write(server->ssl, text, (int)strlen(text)), (int)strlen(text));
    do {
        status_clear(&status);
        a_moment();
    } while (!connection_receive(connection, &input, &ended, &deadline, &status) &&
             status.outcome == OUTCOME_TIMEOUT && ++steps < STEPS_MAX);
    assert_int_equal(status.outcome, OUTCOME_OK);
    assert_int_equal(input.length, strlen(text));
    assert_memory_equal(input.data, text, input.length);
    buf_free(&input);
}

/* Our end of the connection to this port. */
static int find_socket(uint16_t port)
{
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        struct sockaddr_in peer = {0};
        socklen_t length = sizeof(peer);

        if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == port)
            return fd;
    }
    fail_msg("no connection to port %u", port);
    return -1;
}

static void the_kernel_keeps_a_connection_alive_and_finds_out_when_it_is_dead(void **state)
{
    static const struct {
        int level, name, least, most;
    } wanted[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1, 1},          {IPPROTO_TCP, TCP_KEEPIDLE, 1, 59},
        {IPPROTO_TCP, TCP_KEEPINTVL, 1, 5},        {IPPROTO_TCP, TCP_KEEPCNT, 2, 5},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 1, 60000}, {IPPROTO_TCP, TCP_NODELAY, 1, 1},
    };
    struct tls_server server;
    struct endpoint *endpoint;
    struct connection *connection;

    (void)state;
    tls_server_make(&server, &temp, tls_server_listen(AF_INET, 0, TLS_SERVER_BACKLOG));
    endpoint = tls_server_endpoint(&temp, server.port);
    connection = begin(endpoint);
    make(connection, &server, 0);
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        int value = 0;
        socklen_t length = sizeof(value);

        assert_int_equal(
            getsockopt(find_socket(server.port), wanted[i].level, wanted[i].name, &value, &length),
            0);
        assert_in_range(value, wanted[i].least, wanted[i].most);
    }
    connection_close(connection);
    tls_server_free(&server);
    endpoint_free(endpoint);
}

static void a_connection_is_made_step_by_step_without_waiting(void **state)
{
    struct tls_server server;
    struct endpoint *endpoint;
    struct connection *connection;

    (void)state;
    tls_server_make(&server, &temp, tls_server_listen(AF_INET, 0, TLS_SERVER_BACKLOG));
    endpoint = tls_server_endpoint(&temp, server.port);
    connection = begin(endpoint);
    assert_true(make(connection, &server, 0) > 1);
    receive(connection, &server, "what was there without waiting");
    connection_close(connection);
    tls_server_free(&server);
    endpoint_free(endpoint);
}

static void close_after(int steps)
{
    struct tls_server server;
    struct endpoint *endpoint;
    struct connection *connection;

    tls_server_make(&server, &temp, tls_server_listen(AF_INET, 0, TLS_SERVER_BACKLOG));
    endpoint = tls_server_endpoint(&temp, server.port);
    connection = begin(endpoint);
    for (int i = 0; i < steps; i++) {
        struct deadline deadline = passed();
        struct status status = STATUS_INIT;

        connection_advance(connection, &deadline, &status);
        tls_server_step(&server);
    }
    connection_close(connection);
    tls_server_free(&server);
    endpoint_free(endpoint);
}

static void one_that_is_not_made_yet_can_be_closed_at_every_step(void **state)
{
    (void)state;
    for (int steps = 0; steps < 4; steps++)
        close_after(steps);
}

static void a_server_that_never_speaks_is_waited_for_until_the_deadline(void **state)
{
    struct tls_server server;
    struct endpoint *endpoint;
    struct status status = STATUS_INIT;
    struct deadline deadline = deadline_in_ms(20);

    (void)state;
    tls_server_make(&server, &temp, tls_server_listen(AF_INET, 0, TLS_SERVER_BACKLOG));
    endpoint = tls_server_endpoint(&temp, server.port);
    assert_null(connection_open(endpoint, &deadline, &status));
    assert_failed(&status, OUTCOME_TIMEOUT, "the time budget ended while making a TLS connection");
    assert_true(deadline_passed(&deadline));
    tls_server_free(&server);
    endpoint_free(endpoint);
}

static void a_port_where_nobody_listens_refuses(void **state)
{
    int listener = tls_server_listen(AF_INET, 0, 0);
    struct endpoint *endpoint = tls_server_endpoint(&temp, tls_server_port(listener));
    struct deadline deadline = deadline_in_ms(10000);
    struct status status = STATUS_INIT;

    (void)state;
    close(listener);
    assert_null(connection_open(endpoint, &deadline, &status));
    assert_failed(&status, OUTCOME_KME, "connect: Connection refused");
    endpoint_free(endpoint);
}

/* The socket of a listener that lets nobody in: its queue is full. */
static int swallow(uint16_t *port, int fillers[static 2])
{
    int listener = tls_server_listen(AF_INET, 0, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};

    assert_true(listener >= 0);
    *port = tls_server_port(listener);
    address.sin_port = htons(*port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 2; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    return listener;
}

/* Where the first address of localhost swallows connections and the second serves. */
static void check_dead_address(int step_ms)
{
    int fillers[2], dead, alive;
    struct tls_server server;
    struct endpoint *endpoint;
    struct connection *connection;
    uint16_t port;

    dead = swallow(&port, fillers);
    alive = tls_server_listen(AF_INET6, port, TLS_SERVER_BACKLOG);
    if (alive < 0) {
        print_message("this machine has no address ::1\n");
        close(dead);
        skip();
    }
    tls_server_make(&server, &temp, alive);
    endpoint = tls_server_endpoint(&temp, port);
    connection = begin(endpoint);
    assert_true(make(connection, &server, step_ms) > 1);
    receive(connection, &server, "from the second address");
    connection_close(connection);
    tls_server_free(&server);
    endpoint_free(endpoint);
    for (int i = 0; i < 2; i++)
        close(fillers[i]);
    close(dead);
}

static void a_dead_address_leaves_time_for_the_next(void **state)
{
    (void)state;
    check_dead_address(20);
}

static void a_dead_address_is_left_by_one_who_never_waits(void **state)
{
    (void)state;
    check_dead_address(0);
}

static void addresses_that_all_swallow_connections_end_with_the_deadline(void **state)
{
    int fillers[2];
    uint16_t port;
    int dead = swallow(&port, fillers), dead6 = tls_server_listen(AF_INET6, port, 0);
    struct endpoint *endpoint = tls_server_endpoint(&temp, port);
    struct deadline deadline = passed();
    struct status status = STATUS_INIT;
    struct connection *connection = begin(endpoint);

    (void)state;
    for (int i = 0; i < 2; i++) {
        status_clear(&status);
        assert_false(connection_advance(connection, &deadline, &status));
        assert_failed(&status, OUTCOME_TIMEOUT, "the time budget ended while connecting");
    }
    connection_abandon(connection);
    endpoint_free(endpoint);
    for (int i = 0; i < 2; i++)
        close(fillers[i]);
    if (dead6 >= 0)
        close(dead6);
    close(dead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_made_step_by_step_without_waiting),
        cmocka_unit_test(the_kernel_keeps_a_connection_alive_and_finds_out_when_it_is_dead),
        cmocka_unit_test(one_that_is_not_made_yet_can_be_closed_at_every_step),
        cmocka_unit_test(a_server_that_never_speaks_is_waited_for_until_the_deadline),
        cmocka_unit_test(a_port_where_nobody_listens_refuses),
        cmocka_unit_test(a_dead_address_leaves_time_for_the_next),
        cmocka_unit_test(a_dead_address_is_left_by_one_who_never_waits),
        cmocka_unit_test(addresses_that_all_swallow_connections_end_with_the_deadline),
    };

    return cmocka_run_group_tests_name(__FILE__, tests, make_files, remove_files);
}
