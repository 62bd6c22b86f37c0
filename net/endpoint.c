/* SPDX-License-Identifier: Apache-2.0 */
#include "net/endpoint.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "net/tls_context.h"

struct endpoint {
    struct endpoint_address address;
    struct buf cert_pem;
    struct buf key_pem;
    struct buf ca_pem;
    char *groups;
    bool require_pq;
    /* Made at first use by whoever comes first; a second maker discards its own. No lock, since
     * one that is held while the process forks stays locked in the child. */
    _Atomic(struct tls_context *) tls;
};

static void move_buf(struct buf *to, struct buf *from)
{
    *to = *from;
    buf_init(from, from->max_bytes);
}

struct endpoint *endpoint_new(const struct endpoint_address *address,
                              const struct endpoint_tls *tls, struct buf *cert_pem,
                              struct buf *key_pem, struct buf *ca_pem)
{
    struct endpoint *endpoint = OPENSSL_zalloc(sizeof(*endpoint));

    if (endpoint == NULL)
        return NULL;
    if (tls->groups != NULL) {
        endpoint->groups = OPENSSL_strdup(tls->groups);
        if (endpoint->groups == NULL) {
            OPENSSL_free(endpoint);
            return NULL;
        }
    }
    endpoint->require_pq = tls->require_pq;
    endpoint->address = *address;
    move_buf(&endpoint->cert_pem, cert_pem);
    move_buf(&endpoint->key_pem, key_pem);
    move_buf(&endpoint->ca_pem, ca_pem);
    atomic_init(&endpoint->tls, NULL);
    return endpoint;
}

void endpoint_free(struct endpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    tls_context_free(atomic_load(&endpoint->tls));
    buf_free(&endpoint->cert_pem);
    buf_free(&endpoint->key_pem);
    buf_free(&endpoint->ca_pem);
    OPENSSL_free(endpoint->groups);
    OPENSSL_free(endpoint);
}

const struct endpoint_address *endpoint_address(const struct endpoint *endpoint)
{
    return &endpoint->address;
}

bool endpoint_blame(const struct endpoint *endpoint, struct status *status)
{
    return status_prefix(status, "KME %s:%s", endpoint->address.host, endpoint->address.port);
}

bool endpoint_requires_pq(const struct endpoint *endpoint)
{
    return endpoint->require_pq;
}

struct tls_context *endpoint_tls(struct endpoint *endpoint, struct status *status)
{
    struct tls_context *tls = atomic_load(&endpoint->tls), *none = NULL;
    struct tls_identity identity = {&endpoint->cert_pem, &endpoint->key_pem, &endpoint->ca_pem};
    struct endpoint_tls wanted = {endpoint->groups, endpoint->require_pq};

    if (tls != NULL)
        return tls;
    tls = tls_context_new(&identity, &wanted, status);
    if (tls == NULL || atomic_compare_exchange_strong(&endpoint->tls, &none, tls))
        return tls;
    tls_context_free(tls);
    return none;
}
