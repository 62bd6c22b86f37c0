/* SPDX-License-Identifier: Apache-2.0 */
/* TLS sessions that are resumed when a connection to a key server is made again. */
#include "tests/unit/unit.h"
#include "tests/unit/identity_files.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "net/connection.h"
#include "tests/unit/tls_server.h"

enum {
    STEPS_MAX = 4000,
    STEP_NS = 1000000,
    INPUT_MAX_BYTES = 16384,
    PSK_KE = 0 /* RFC 8446, 4.2.9 */
};

struct ends {
    struct tls_server server;
    struct endpoint *endpoint;
};

static void open_ends(struct ends *ends)
{
    tls_server_make(&ends->server, &temp, tls_server_listen(AF_INET, 0, TLS_SERVER_BACKLOG));
    ends->endpoint = tls_server_endpoint(&temp, ends->server.port);
}

static void close_ends(struct ends *ends)
{
    tls_server_free(&ends->server);
    endpoint_free(ends->endpoint);
}

static void a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
}

static struct connection *begin(struct endpoint *endpoint)
{
    struct deadline deadline = deadline_in_ms(0);
    struct status status = STATUS_INIT;
    struct connection *connection = connection_begin(endpoint, &deadline, &status);

    if (connection == NULL)
        fail_msg("%s", status.text);
    return connection;
}

static struct connection *make(struct ends *ends)
{
    struct connection *connection = begin(ends->endpoint);

    for (unsigned steps = 0; steps < STEPS_MAX; steps++) {
        struct deadline deadline = deadline_in_ms(0);
        struct status status = STATUS_INIT;

        if (connection_advance(connection, &deadline, &status)) {
            tls_server_step(&ends->server); /* which sends its tickets */
            return connection;
        }
        assert_failed(&status, OUTCOME_TIMEOUT, "");
        tls_server_step(&ends->server);
        a_moment();
    }
    fail_msg("not made after %d steps", STEPS_MAX);
    return NULL;
}

/* Tickets come before what is sent. */
static void receive_something(struct connection *connection, struct tls_server *server)
{
    struct deadline deadline = deadline_in_ms(10000);
    struct status status = STATUS_INIT;
    struct buf input;
    bool ended;

    buf_init(&input, INPUT_MAX_BYTES);
    assert_int_equal(SSL_write(server->ssl, "answer", 6), 6);
    do
        status_clear(&status);
    while (!connection_receive(connection, &input, &ended, &deadline, &status) &&
           status.outcome == OUTCOME_TIMEOUT && !deadline_passed(&deadline));
    assert_int_equal(input.length, 6);
    buf_free(&input);
}

/* One connection from beginning to end; whether both ends say that it was resumed. */
static bool converse(struct ends *ends, bool with_answer)
{
    struct connection *connection = make(ends);
    bool resumed = connection_is_resumed(connection);

    assert_int_equal(SSL_session_reused(ends->server.ssl), resumed);
    if (with_answer)
        receive_something(connection, &ends->server);
    connection_close(connection);
    tls_server_drop(&ends->server);
    return resumed;
}

static void a_connection_that_is_made_again_resumes_the_session(void **state)
{
    struct ends ends;

    (void)state;
    open_ends(&ends);
    assert_false(converse(&ends, true));
    for (int i = 0; i < 10; i++)
        assert_true(converse(&ends, true));
    close_ends(&ends);
}

static void an_abandoned_connection_leaves_its_sessions_usable(void **state)
{
    struct ends ends;
    struct connection *connection;

    (void)state;
    open_ends(&ends);
    connection = make(&ends);
    receive_something(connection, &ends.server);
    connection_abandon(connection);
    tls_server_drop(&ends.server);
    assert_true(converse(&ends, false));
    close_ends(&ends);
}

static int offers_no_dhe;

static int look_at_kex_modes(SSL *ssl, int *alert, void *argument)
{
    const unsigned char *modes;
    size_t length;

    (void)alert;
    (void)argument;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk_kex_modes, &modes, &length) == 1)
        for (size_t i = 1; i < length; i++)
            offers_no_dhe += modes[i] == PSK_KE;
    return SSL_CLIENT_HELLO_SUCCESS;
}

static void a_resumed_session_has_a_key_exchange_of_its_own(void **state)
{
    struct ends ends;

    (void)state;
    open_ends(&ends);
    offers_no_dhe = 0;
    SSL_CTX_set_client_hello_cb(ends.server.ctx, look_at_kex_modes, NULL);
    SSL_CTX_set_options(ends.server.ctx, SSL_OP_ALLOW_NO_DHE_KEX);
    assert_false(converse(&ends, true));
    assert_true(converse(&ends, true));
    assert_int_equal(offers_no_dhe, 0);
    close_ends(&ends);
}

static void each_session_is_resumed_once_and_four_are_kept(void **state)
{
    struct ends ends;

    (void)state;
    open_ends(&ends);
    SSL_CTX_set_num_tickets(ends.server.ctx, 10);
    assert_false(converse(&ends, true));
    for (int i = 0; i < 4; i++)
        assert_true(converse(&ends, false)); /* new tickets are not read */
    assert_false(converse(&ends, false));
    close_ends(&ends);
}

static void a_server_that_does_not_resume_is_reached_in_full(void **state)
{
    struct ends ends;

    (void)state;
    open_ends(&ends);
    SSL_CTX_set_num_tickets(ends.server.ctx, 0);
    for (int i = 0; i < 3; i++)
        assert_false(converse(&ends, true));
    close_ends(&ends);
}

static void a_server_that_lost_its_keys_is_reached_in_full_and_resumed_again(void **state)
{
    struct ends ends;

    (void)state;
    open_ends(&ends);
    assert_false(converse(&ends, true));
    SSL_CTX_free(ends.server.ctx);
    close(ends.server.listener);
    tls_server_make(&ends.server, &temp,
                    tls_server_listen(AF_INET, ends.server.port, TLS_SERVER_BACKLOG));
    assert_false(converse(&ends, true));
    assert_true(converse(&ends, true));
    close_ends(&ends);
}

static void a_session_of_tls_1_2_is_not_resumed(void **state)
{
    struct ends ends;

    (void)state;
    open_ends(&ends);
    SSL_CTX_set_max_proto_version(ends.server.ctx, TLS1_2_VERSION);
    for (int i = 0; i < 3; i++)
        assert_false(converse(&ends, true));
    close_ends(&ends);
}

static int offers;

static int count_offers(SSL *ssl, int *alert, void *argument)
{
    const unsigned char *psk;
    size_t length;

    (void)alert;
    (void)argument;
    offers += SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &psk, &length) == 1;
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* OpenSSL's own way of doing so: certificates are asked for, and no session ID context is set. */
static void a_server_that_breaks_off_at_an_offer_is_reached_and_soon_not_asked(void **state)
{
    char ca[TEMP_PATH_BYTES];
    struct ends ends;

    (void)state;
    open_ends(&ends);
    temp_path(&temp, "cert.pem", ca);
    assert_int_equal(SSL_CTX_load_verify_file(ends.server.ctx, ca), 1);
    SSL_CTX_set_verify(ends.server.ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_client_hello_cb(ends.server.ctx, count_offers, NULL);
    offers = 0;
    for (int i = 0; i < 10; i++)
        assert_false(converse(&ends, true));
    assert_in_range(offers, 1, 3);
    close_ends(&ends);
}

static void a_forked_child_resumes_none_of_its_parents_sessions(void **state)
{
    struct ends ends;
    int code = -1;
    pid_t child;

    (void)state;
    open_ends(&ends);
    assert_false(converse(&ends, true));
    child = fork();
    if (child == 0) {
        struct deadline deadline = deadline_in_ms(10000);
        struct status status = STATUS_INIT;
        struct connection *connection = connection_open(ends.endpoint, &deadline, &status);

        code = connection == NULL ? 2 : connection_is_resumed(connection);
        connection_close(connection);
        _exit(code);
    }
    signal(SIGPIPE, SIG_IGN); /* the server's: the child may have gone before its tickets come */
    while (waitpid(child, &code, WNOHANG) == 0) {
        tls_server_step(&ends.server);
        a_moment();
    }
    signal(SIGPIPE, SIG_DFL);
    assert_true(WIFEXITED(code));
    assert_int_equal(WEXITSTATUS(code), 0);
    tls_server_drop(&ends.server);
    assert_true(converse(&ends, true));
    close_ends(&ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_is_made_again_resumes_the_session),
        cmocka_unit_test(an_abandoned_connection_leaves_its_sessions_usable),
        cmocka_unit_test(a_resumed_session_has_a_key_exchange_of_its_own),
        cmocka_unit_test(each_session_is_resumed_once_and_four_are_kept),
        cmocka_unit_test(a_server_that_does_not_resume_is_reached_in_full),
        cmocka_unit_test(a_server_that_lost_its_keys_is_reached_in_full_and_resumed_again),
        cmocka_unit_test(a_session_of_tls_1_2_is_not_resumed),
        cmocka_unit_test(a_server_that_breaks_off_at_an_offer_is_reached_and_soon_not_asked),
        cmocka_unit_test(a_forked_child_resumes_none_of_its_parents_sessions),
    };

    return cmocka_run_group_tests_name(__FILE__, tests, make_files, remove_files);
}
