/* SPDX-License-Identifier: Apache-2.0 */
#include "qkd_view.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/evp.h>

/* The key object that encapsulated or decapsulated: libssl keeps the client's own key at the
 * client, and the client's share, its peer's key, at the server. NULL when it kept neither. */
static EVP_PKEY *handshake_key(SSL *ssl)
{
    EVP_PKEY *key = NULL;
    long kept = SSL_is_server(ssl) ? SSL_get_peer_tmp_key(ssl, &key) : SSL_get_tmp_key(ssl, &key);

    return kept == 1 ? key : NULL;
}

static int text_of(EVP_PKEY *key, const char *name, char *text, size_t size)
{
    if (key != NULL && EVP_PKEY_get_utf8_string_param(key, name, text, size, NULL) == 1)
        return 1;
    text[0] = '\0';
    return 0;
}

int qkd_view(SSL *ssl, struct qkd_view *view)
{
    /* SSL_get0_group_name does the same, from OpenSSL 3.2 on. */
    const char *group = SSL_group_to_name(ssl, (int)SSL_get_negotiated_group(ssl));
    EVP_PKEY *key;
    int used;

    snprintf(view->group, sizeof(view->group), "%s", group != NULL ? group : "none");
    ERR_set_mark(); /* a key of another kind does not know these parameters */
    key = handshake_key(ssl);
    used = text_of(key, "qkd-key-id", view->key_id, sizeof(view->key_id)) &
           text_of(key, "qkd-role", view->role, sizeof(view->role));
    ERR_pop_to_mark();
    EVP_PKEY_free(key);
    return used;
}
