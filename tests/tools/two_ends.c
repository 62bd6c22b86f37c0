/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/two_ends.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

enum { ROUNDS_MAX = 10 };

static SSL_CTX *new_tls(OSSL_LIB_CTX *library, const SSL_METHOD *method)
{
    SSL_CTX *tls = SSL_CTX_new_ex(library, NULL, method);

    if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1) {
        SSL_CTX_free(tls);
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(tls, 0);
    return tls;
}

bool two_ends_open(struct two_ends *ends, const struct two_ends_files *files)
{
    *ends = (struct two_ends){
        .client_library = OSSL_LIB_CTX_new(),
        .server_library = OSSL_LIB_CTX_new(),
        .ca = files->ca,
    };
    if (ends->client_library == NULL || ends->server_library == NULL ||
        OSSL_LIB_CTX_load_config(ends->client_library, files->client_cnf) != 1 ||
        OSSL_LIB_CTX_load_config(ends->server_library, files->server_cnf) != 1)
        return false;
    ends->server = new_tls(ends->server_library, TLS_server_method());
    return ends->server != NULL &&
           SSL_CTX_use_certificate_chain_file(ends->server, files->cert) == 1 &&
           SSL_CTX_use_PrivateKey_file(ends->server, files->key, SSL_FILETYPE_PEM) == 1;
}

void two_ends_close(struct two_ends *ends)
{
    SSL_CTX_free(ends->server);
    OSSL_LIB_CTX_free(ends->client_library);
    OSSL_LIB_CTX_free(ends->server_library);
}

static SSL *new_end(SSL_CTX *tls, const char *group)
{
    SSL *ssl = SSL_new(tls);

    if (ssl != NULL && SSL_set1_groups_list(ssl, group) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static SSL *new_client(const struct two_ends *ends, const char *group)
{
    SSL_CTX *tls = new_tls(ends->client_library, TLS_client_method());
    SSL *ssl = NULL;

    if (tls != NULL && SSL_CTX_load_verify_file(tls, ends->ca) == 1)
        ssl = new_end(tls, group);
    SSL_CTX_free(tls);
    if (ssl == NULL || SSL_set1_host(ssl, "localhost") != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    return ssl;
}

static bool join(SSL *client, SSL *server)
{
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());

    if (up == NULL || down == NULL || !BIO_up_ref(up) || !BIO_up_ref(down))
        return false;
    SSL_set_bio(client, down, up);
    SSL_set_bio(server, up, down);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    return true;
}

/* Takes what the thread's error queue has first; the sentence of ours is its data. */
static void blame(struct two_ends_outcome *outcome, const char *end)
{
    const char *data = "", *text;
    int flags = 0;
    unsigned long error = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);

    text = ERR_reason_error_string(error);
    outcome->completed = false;
    outcome->end = end;
    snprintf(outcome->reason, sizeof(outcome->reason), "%s: %s",
             text != NULL ? text : "no reason given", (flags & ERR_TXT_STRING) != 0 ? data : "");
    ERR_clear_error();
}

/* 1: through, 0: waits for the other end, -1: failed. */
static int go_on(SSL *ssl)
{
    int result = SSL_do_handshake(ssl);

    if (result == 1)
        return ERR_peek_error() == 0 ? 1 : -1;
    return SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ ? 0 : -1;
}

static void shake_hands(SSL *client, SSL *server, struct two_ends_outcome *outcome)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        int at_client = go_on(client), at_server;

        if (at_client < 0) {
            blame(outcome, "client");
            return;
        }
        at_server = go_on(server);
        if (at_server < 0) {
            blame(outcome, "server");
            return;
        }
        outcome->completed = at_client == 1 && at_server == 1;
        if (outcome->completed)
            return;
    }
    blame(outcome, "client");
}

void two_ends_handshake(const struct two_ends *ends, const char *group,
                        struct two_ends_outcome *outcome)
{
    SSL *client, *server;

    ERR_clear_error();
    client = new_client(ends, group);
    server = client != NULL ? new_end(ends->server, group) : NULL;
    if (server == NULL || !join(client, server))
        blame(outcome, client == NULL ? "client" : "server");
    else
        shake_hands(client, server, outcome);
    SSL_free(client);
    SSL_free(server);
}
