/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_context.h"

#include <arpa/inet.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/x509v3.h>

#include "net/socket_bio.h"
#include "net/tls_sessions.h"

enum { CHAIN_MAX_CERTIFICATES = 16, CA_MAX_CERTIFICATES = 1024 };

struct tls_context {
    OSSL_LIB_CTX *library;
    OSSL_PROVIDER *provider;
    BIO_METHOD *socket_method;
    SSL_CTX *ssl;
    struct tls_sessions sessions;
};

static const char pq_group[] = "X25519MLKEM768";

/* The first list that this OpenSSL takes as a whole is used. */
static const char *const group_lists[] = {
    "X25519MLKEM768:X25519:P-256:P-384",
    "X25519:P-256:P-384",
};

static bool set_our_groups(SSL_CTX *ssl, struct status *status)
{
    for (size_t i = 0; i < sizeof(group_lists) / sizeof(group_lists[0]); i++)
        if (SSL_CTX_set1_groups_list(ssl, group_lists[i]) == 1)
            return true;
    return status_fail(status, OUTCOME_INTERNAL, "cannot set up TLS for the key server: %s",
                       tls_failure_reason(NULL));
}

static bool set_groups(SSL_CTX *ssl, const struct endpoint_tls *wanted, struct status *status)
{
    if (wanted->require_pq && (SSL_CTX_set1_groups_list(ssl, pq_group) != 1 ||
                               SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) != 1))
        return status_fail(status, OUTCOME_CONFIG,
                           "kme-require-pq = yes: OpenSSL %s has no %s, which needs 3.5 or newer",
                           OpenSSL_version(OPENSSL_VERSION_STRING), pq_group);
    if (wanted->groups == NULL)
        return set_our_groups(ssl, status);
    return SSL_CTX_set1_groups_list(ssl, wanted->groups) == 1 ||
           status_fail(status, OUTCOME_CONFIG,
                       "kme-groups = '%s' is no list of groups that OpenSSL %s has", wanted->groups,
                       OpenSSL_version(OPENSSL_VERSION_STRING));
}

/* A resumed session of TLS 1.2 has no key exchange of its own. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (SSL_version(ssl) == TLS1_3_VERSION)
        tls_sessions_put(&context->sessions, session);
    return 0; /* the session stays libssl's */
}

static bool set_policy(SSL_CTX *ssl)
{
    SSL_CTX_set_security_level(ssl, 2);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(ssl,
                        SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_clear_options(ssl, SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3 | SSL_OP_NO_TICKET |
                                   SSL_OP_ALLOW_NO_DHE_KEX);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, keep_session);
    SSL_CTX_set_read_ahead(ssl, 1);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, 0) == 1 &&
           SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set_ciphersuites(ssl, OSSL_default_ciphersuites()) == 1;
}

/* Nobody is there to type a passphrase inside a handshake. */
static int no_passphrase(char *buffer, int size, int writing, void *argument)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)argument;
    return -1;
}

static X509 *read_certificate(struct tls_context *context, BIO *pem)
{
    X509 *certificate = X509_new_ex(context->library, NULL);

    if (certificate == NULL || PEM_read_bio_X509(pem, &certificate, no_passphrase, NULL) == NULL) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

static bool use_chain(struct tls_context *context, BIO *pem, struct status *status)
{
    X509 *certificate = read_certificate(context, pem);
    bool ok = certificate != NULL && SSL_CTX_use_certificate(context->ssl, certificate) == 1;

    X509_free(certificate);
    if (!ok)
        return status_fail(status, OUTCOME_CONFIG,
                           "cert: the file holds no PEM certificate that can be used");
    for (int i = 0; i < CHAIN_MAX_CERTIFICATES; i++) {
        certificate = read_certificate(context, pem);
        if (certificate == NULL)
            return true;
        ok = SSL_CTX_add1_chain_cert(context->ssl, certificate) == 1;
        X509_free(certificate);
        if (!ok)
            return status_fail(status, OUTCOME_INTERNAL, "out of memory for a certificate chain");
    }
    return status_fail(status, OUTCOME_CONFIG, "cert: more than %d certificates in the chain",
                       CHAIN_MAX_CERTIFICATES);
}

static bool use_key(struct tls_context *context, BIO *pem, struct status *status)
{
    EVP_PKEY *key =
        PEM_read_bio_PrivateKey_ex(pem, NULL, no_passphrase, NULL, context->library, NULL);
    bool ok = key != NULL && SSL_CTX_use_PrivateKey(context->ssl, key) == 1;

    if (key == NULL)
        status_fail(status, OUTCOME_CONFIG,
                    "key: the file holds no PEM private key without a passphrase");
    else if (!ok || SSL_CTX_check_private_key(context->ssl) != 1)
        ok = status_fail(status, OUTCOME_CONFIG, "key: the private key is not that of cert");
    EVP_PKEY_free(key);
    return ok;
}

static bool use_authorities(struct tls_context *context, BIO *pem, struct status *status)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
    int count = 0;

    for (; count < CA_MAX_CERTIFICATES; count++) {
        X509 *certificate = read_certificate(context, pem);
        bool ok;

        if (certificate == NULL)
            break;
        ok = X509_STORE_add_cert(store, certificate) == 1;
        X509_free(certificate);
        if (!ok)
            return status_fail(status, OUTCOME_INTERNAL, "out of memory for a CA certificate");
    }
    if (count == 0)
        return status_fail(status, OUTCOME_CONFIG, "ca: the file holds no PEM certificate");
    return true;
}

static bool with_pem(struct tls_context *context, const struct buf *pem,
                     bool (*use)(struct tls_context *, BIO *, struct status *),
                     struct status *status)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->length);
    bool ok;

    if (bio == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a PEM file");
    ok = use(context, bio, status);
    BIO_free(bio);
    return ok;
}

static bool make(struct tls_context *context, const struct tls_identity *identity,
                 const struct endpoint_tls *wanted, struct status *status)
{
    context->library = OSSL_LIB_CTX_new();
    if (context->library == NULL)
        return status_fail(status, OUTCOME_INTERNAL, "out of memory for a library context");
    context->provider = OSSL_PROVIDER_load(context->library, "default");
    if (context->provider == NULL)
        return status_fail(status, OUTCOME_INTERNAL,
                           "OpenSSL's default provider cannot be loaded: %s",
                           tls_failure_reason(NULL));
    context->socket_method = socket_bio_method_new();
    context->ssl = SSL_CTX_new_ex(context->library, NULL, TLS_client_method());
    if (context->socket_method == NULL || context->ssl == NULL || !set_policy(context->ssl) ||
        SSL_CTX_set_app_data(context->ssl, context) != 1)
        return status_fail(status, OUTCOME_INTERNAL, "cannot set up TLS for the key server: %s",
                           tls_failure_reason(NULL));
    return set_groups(context->ssl, wanted, status) &&
           with_pem(context, identity->ca_pem, use_authorities, status) &&
           with_pem(context, identity->cert_pem, use_chain, status) &&
           with_pem(context, identity->key_pem, use_key, status);
}

struct tls_context *tls_context_new(const struct tls_identity *identity,
                                    const struct endpoint_tls *wanted, struct status *status)
{
    struct tls_context *context = OPENSSL_zalloc(sizeof(*context));

    if (context == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for a TLS context");
        return NULL;
    }
    ERR_set_mark();
    if (!make(context, identity, wanted, status)) {
        tls_context_free(context);
        context = NULL;
    }
    ERR_pop_to_mark();
    return context;
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    tls_sessions_free(&context->sessions);
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->socket_method);
    if (context->provider != NULL)
        OSSL_PROVIDER_unload(context->provider);
    OSSL_LIB_CTX_free(context->library);
    OPENSSL_free(context);
}

static bool expect_host(SSL *ssl, const char *host)
{
    struct in6_addr ip;

    if (inet_pton(AF_INET, host, &ip) == 1 || inet_pton(AF_INET6, host, &ip) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

/* One that cannot be offered is forgotten. */
static void offer_session(SSL *ssl, struct tls_sessions *sessions)
{
    SSL_SESSION *session = tls_sessions_take(sessions);

    if (session != NULL)
        SSL_set_session(ssl, session);
    SSL_SESSION_free(session);
}

SSL *tls_context_client(struct tls_context *context, int fd, const char *host, bool resume,
                        struct status *status)
{
    SSL *ssl = SSL_new(context->ssl);
    BIO *bio = socket_bio_new(context->socket_method, fd);

    if (ssl == NULL || bio == NULL || !expect_host(ssl, host)) {
        status_fail(status, OUTCOME_INTERNAL, "cannot set up TLS to %s: %s", host,
                    tls_failure_reason(NULL));
        BIO_free(bio);
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_bio(ssl, bio, bio);
    SSL_set_connect_state(ssl);
    if (resume)
        offer_session(ssl, &context->sessions);
    return ssl;
}

bool tls_offers_session(const SSL *ssl)
{
    return SSL_get_session(ssl) != NULL;
}

void tls_context_note_offer(struct tls_context *context, bool harmless)
{
    tls_sessions_note(&context->sessions, harmless);
}

const char *tls_group(SSL *ssl)
{
    int group = (int)SSL_get_negotiated_group(ssl);
    const char *name = group != 0 ? SSL_group_to_name(ssl, group) : NULL;

    return name != NULL ? name : "an unknown group";
}

bool tls_group_is_pq(const char *group)
{
    return strstr(group, "MLKEM") != NULL;
}

const char *tls_failure_reason(const SSL *ssl)
{
    long verified = ssl != NULL ? SSL_get_verify_result(ssl) : X509_V_OK;
    const char *reason;

    if (verified != X509_V_OK)
        return X509_verify_cert_error_string(verified);
    reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "no reason given";
}
