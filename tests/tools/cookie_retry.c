/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One handshake in which the server keeps no state until the client has returned a cookie
 * (SSL_stateless): the client must send the same key share twice.
 *
 *     cookie_retry CLIENT_CNF SERVER_CNF GROUP CERT KEY
 *
 * Both ends are in this process, on memory BIOs, each with a library context of its own.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { ROUNDS_MAX = 10 };

static const unsigned char cookie[] = "cookie";

static int make_cookie(SSL *ssl, unsigned char *to, size_t *length)
{
    (void)ssl;
    memcpy(to, cookie, sizeof(cookie));
    *length = sizeof(cookie);
    return 1;
}

static int check_cookie(SSL *ssl, const unsigned char *got, size_t length)
{
    (void)ssl;
    return length == sizeof(cookie) && memcmp(got, cookie, length) == 0;
}

static SSL *new_end(OSSL_LIB_CTX *library, const char *configuration, const SSL_METHOD *method,
                    const char *group, const char *cert, const char *key)
{
    SSL_CTX *tls = NULL;
    SSL *ssl = NULL;

    if (OSSL_LIB_CTX_load_config(library, configuration) == 1)
        tls = SSL_CTX_new_ex(library, NULL, method);
    if (tls != NULL && SSL_CTX_set1_groups_list(tls, group) == 1 &&
        (cert == NULL || (SSL_CTX_use_certificate_chain_file(tls, cert) == 1 &&
                          SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1))) {
        SSL_CTX_set_stateless_cookie_generate_cb(tls, make_cookie);
        SSL_CTX_set_stateless_cookie_verify_cb(tls, check_cookie);
        ssl = SSL_new(tls);
    }
    SSL_CTX_free(tls);
    return ssl;
}

static int join(SSL *client, SSL *server)
{
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());

    if (up == NULL || down == NULL || !BIO_up_ref(up) || !BIO_up_ref(down))
        return 0;
    SSL_set_bio(client, down, up);
    SSL_set_bio(server, up, down);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    return 1;
}

int main(int count, char **words)
{
    OSSL_LIB_CTX *libraries[2] = {OSSL_LIB_CTX_new(), OSSL_LIB_CTX_new()};
    SSL *client, *server;
    int retries = 0, cookie_seen = 0, done = 0;

    if (count != 6)
        return 2;
    client = new_end(libraries[0], words[1], TLS_client_method(), words[3], NULL, NULL);
    server = new_end(libraries[1], words[2], TLS_server_method(), words[3], words[4], words[5]);
    if (client == NULL || server == NULL || !join(client, server))
        return 1;
    for (int i = 0; i < ROUNDS_MAX && !done; i++) {
        int client_done = SSL_do_handshake(client) == 1;

        if (!cookie_seen) {
            cookie_seen = SSL_stateless(server) == 1;
            retries += !cookie_seen;
        }
        done = cookie_seen && SSL_do_handshake(server) == 1 && client_done;
    }
    printf("%s after %d retries\n", done ? "completed" : "failed", retries);
    if (!done)
        ERR_print_errors_fp(stderr);
    SSL_free(client);
    SSL_free(server);
    OSSL_LIB_CTX_free(libraries[0]);
    OSSL_LIB_CTX_free(libraries[1]);
    return !done;
}
