/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks for sizes and offers buffers that are too small, then does the exchange after all.
 *
 *     sizes GROUP CLIENT.cnf SERVER.cnf
 *
 * The key servers' counters must then show one key; tests/system/test_fault.py looks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "provider/reasons.h"
#include "tests/fault/exchange.h"

enum { QUERIES = 100, SHARE_MAX_BYTES = 2048, SECRET_BYTES = 256, UNTOUCHED = 0xa5 };

static unsigned char answer[SHARE_MAX_BYTES], secrets[2][SECRET_BYTES];

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "sizes: does not hold: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static bool is_untouched(const unsigned char *octets, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (octets[i] != UNTOUCHED)
            return false;
    return true;
}

static void check_refused(int result)
{
    check(result <= 0, "a buffer too small is refused");
    check(ERR_GET_REASON(ERR_peek_error()) == REASON_BUFFER_TOO_SMALL, "with its reason");
    check(is_untouched(answer, sizeof(answer)), "the share is untouched");
    check(is_untouched(secrets[0], SECRET_BYTES), "the server's secret is untouched");
    ERR_clear_error();
}

static EVP_PKEY *peer_of(OSSL_LIB_CTX *server, const char *group, EVP_PKEY *own)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(server, group, NULL);
    unsigned char *share = NULL;
    size_t length = EVP_PKEY_get1_encoded_public_key(own, &share);
    EVP_PKEY *peer = NULL;

    check(EVP_PKEY_paramgen_init(ctx) == 1 && EVP_PKEY_paramgen(ctx, &peer) == 1 &&
              EVP_PKEY_set1_encoded_public_key(peer, share, length) == 1,
          "the server takes the share");
    OPENSSL_free(share);
    EVP_PKEY_CTX_free(ctx);
    return peer;
}

/* The length of the answer. */
static size_t encapsulate(OSSL_LIB_CTX *server, EVP_PKEY *peer)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(server, peer, NULL);
    size_t share_length = 0, secret_length = 0, given, other;

    check(EVP_PKEY_encapsulate_init(ctx, NULL) == 1, "encapsulation begins");
    for (int i = 0; i < QUERIES; i++)
        check(EVP_PKEY_encapsulate(ctx, NULL, &share_length, NULL, &secret_length) == 1,
              "sizes are told");
    given = share_length - 1, other = SECRET_BYTES;
    check_refused(EVP_PKEY_encapsulate(ctx, answer, &given, secrets[0], &other));
    check(given == share_length - 1 && other == SECRET_BYTES, "lengths are untouched");
    given = sizeof(answer), other = secret_length - 1;
    check_refused(EVP_PKEY_encapsulate(ctx, answer, &given, secrets[0], &other));
    check(given == sizeof(answer) && other == secret_length - 1, "lengths are untouched");
    given = sizeof(answer), other = SECRET_BYTES;
    check(EVP_PKEY_encapsulate(ctx, answer, &given, secrets[0], &other) == 1, "encapsulation");
    check(given == share_length && other == secret_length, "lengths are as told");
    EVP_PKEY_CTX_free(ctx);
    return share_length;
}

static void decapsulate(OSSL_LIB_CTX *client, EVP_PKEY *own, size_t length)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(client, own, NULL);
    size_t secret_length = 0, given;

    check(EVP_PKEY_decapsulate_init(ctx, NULL) == 1, "decapsulation begins");
    for (int i = 0; i < QUERIES; i++)
        check(EVP_PKEY_decapsulate(ctx, NULL, &secret_length, answer, length) == 1,
              "the size is told");
    given = secret_length - 1;
    check(EVP_PKEY_decapsulate(ctx, secrets[1], &given, answer, length) <= 0 &&
              given == secret_length - 1 && is_untouched(secrets[1], SECRET_BYTES),
          "a buffer too small is refused untouched");
    ERR_clear_error();
    given = SECRET_BYTES;
    check(EVP_PKEY_decapsulate(ctx, secrets[1], &given, answer, length) == 1, "decapsulation");
    check(given == secret_length, "the length is as told");
    given = SECRET_BYTES;
    check(EVP_PKEY_decapsulate(ctx, answer, &given, answer, length) <= 0,
          "a second decapsulation is refused");
    check(ERR_GET_REASON(ERR_peek_error()) == REASON_KEY_USE, "since the key was used");
    ERR_clear_error();
    EVP_PKEY_CTX_free(ctx);
}

int main(int argc, char **argv)
{
    OSSL_LIB_CTX *client, *server;
    EVP_PKEY *own, *peer;

    if (argc != 4) {
        fprintf(stderr, "usage: sizes GROUP CLIENT.cnf SERVER.cnf\n");
        return 2;
    }
    client = exchange_open(argv[2]);
    server = exchange_open(argv[3]);
    check(client != NULL && server != NULL, "the configurations load");
    memset(answer, UNTOUCHED, sizeof(answer));
    memset(secrets, UNTOUCHED, sizeof(secrets));
    own = EVP_PKEY_Q_keygen(client, NULL, argv[1]);
    check(own != NULL, "the client generates");
    peer = peer_of(server, argv[1], own);
    decapsulate(client, own, encapsulate(server, peer));
    check(memcmp(secrets[0], secrets[1], SECRET_BYTES) == 0, "both ends hold the same secret");
    check(ERR_peek_error() == 0, "the error queue is empty");
    EVP_PKEY_free(own);
    EVP_PKEY_free(peer);
    OSSL_LIB_CTX_free(client);
    OSSL_LIB_CTX_free(server);
    printf("%s: %d size queries at each end, one exchange\n", argv[1], QUERIES);
    return 0;
}
