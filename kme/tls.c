/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "kme/config.h"

struct tls_set {
    SSL_CTX *contexts[TLS_ROLE_COUNT];
};

/* Before OpenSSL 3.5 an unknown name spoils the list. */
static const char *const group_lists[] = {
    "X25519MLKEM768:X25519:P-256:P-384",
    "X25519:P-256:P-384",
};

static const unsigned char alpn_http11[] = "\x08http/1.1";

static bool set_groups(SSL_CTX *context)
{
    char list[64]; /* OpenSSL's macro casts const away */
    bool done = false;

    ERR_set_mark();
    for (size_t i = 0; !done && i < sizeof(group_lists) / sizeof(group_lists[0]); i++) {
        snprintf(list, sizeof(list), "%s", group_lists[i]);
        done = SSL_CTX_set1_groups_list(context, list) == 1;
    }
    ERR_pop_to_mark();
    return done;
}

/* A client that offers something, but not http/1.1, is refused. */
static int select_alpn(SSL *tls, const unsigned char **out, unsigned char *out_length,
                       const unsigned char *in, unsigned int in_length, void *arg)
{
    unsigned char *chosen = NULL;

    (void)tls;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_length, alpn_http11, sizeof(alpn_http11) - 1, in,
                              in_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool fail_file(struct status *status, const char *what, const char *path)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(error);

    status_fail(status, OUTCOME_CONFIG, "%s = \"%s\": %s", what, path,
                reason != NULL ? reason : "unusable");
    ERR_clear_error();
    return false;
}

/* OpenSSL does not say why it cannot open a file. A private key that everybody can read, or that
 * others can change, is none. */
static bool check_file(const char *what, const char *path, mode_t forbidden, struct status *status)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info = {0};

    if (fd < 0)
        return status_fail(status, OUTCOME_CONFIG, "%s = \"%s\": %s", what, path, strerror(errno));
    fstat(fd, &info);
    close(fd);
    if (!S_ISREG(info.st_mode))
        return status_fail(status, OUTCOME_CONFIG, "%s = \"%s\" is not a regular file", what, path);
    if ((info.st_mode & forbidden) != 0)
        return status_fail(status, OUTCOME_CONFIG,
                           "%s = \"%s\" is open to others (mode %04o): chmod 600 it, or 640 for a "
                           "group of its own",
                           what, path, (unsigned)(info.st_mode & 07777));
    return true;
}

static bool load_files(SSL_CTX *context, const struct kme_config *config, struct status *status)
{
    if (!check_file("cert", config->cert, 0, status) ||
        !check_file("key", config->key, S_IRWXO | S_IWGRP, status) ||
        !check_file("ca", config->ca, 0, status))
        return false;
    if (SSL_CTX_use_certificate_chain_file(context, config->cert) != 1)
        return fail_file(status, "cert", config->cert);
    if (SSL_CTX_use_PrivateKey_file(context, config->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return fail_file(status, "key", config->key);
    if (SSL_CTX_load_verify_file(context, config->ca) != 1)
        return fail_file(status, "ca", config->ca);
    return true;
}

static bool announce_ca(SSL_CTX *context, const struct env *env, const char *ca,
                        struct status *status)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file_ex(ca, env->libctx, NULL);

    if (names == NULL)
        return fail_file(status, "ca", ca);
    SSL_CTX_set_client_CA_list(context, names);
    return true;
}

static bool set_session_id(SSL_CTX *context, enum tls_role role)
{
    unsigned char id[] = {'q', 'k', 'd', (unsigned char)('0' + role)};

    return SSL_CTX_set_session_id_context(context, id, sizeof(id)) == 1;
}

/* A connection that resumes a session shows no certificate: that of the session stands for it, as
 * long as it is valid. Trust that has changed since is none of this one's concern, for tickets of
 * before a reload cannot be read after it. */
static SSL_TICKET_RETURN judge_ticket(SSL *tls, SSL_SESSION *session, const unsigned char *name,
                                      size_t name_length, SSL_TICKET_STATUS status, void *arg)
{
    bool readable = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
    const X509 *peer = readable ? SSL_SESSION_get0_peer(session) : NULL;

    (void)tls;
    (void)name;
    (void)name_length;
    (void)arg;
    return peer != NULL && X509_cmp_current_time(X509_get0_notAfter(peer)) > 0
               ? SSL_TICKET_RETURN_USE_RENEW
               : SSL_TICKET_RETURN_IGNORE_RENEW;
}

/* Sessions are in tickets alone, and resumed with a key exchange of their own in TLS 1.3. */
static void set_resumption(SSL_CTX *context)
{
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_clear_options(context, SSL_OP_NO_TICKET | SSL_OP_ALLOW_NO_DHE_KEX);
    SSL_CTX_set_session_ticket_cb(context, NULL, judge_ticket, NULL);
}

static bool set_up(SSL_CTX *context, const struct env *env, const struct kme_config *config,
                   enum tls_role role, struct status *status)
{
    bool for_saes = role == TLS_SERVER_014 || role == TLS_SERVER_004;
    int lowest = for_saes ? TLS1_2_VERSION : TLS1_3_VERSION;

    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (SSL_CTX_set_min_proto_version(context, lowest) != 1 ||
        SSL_CTX_set_max_proto_version(context, 0) != 1 || !set_groups(context) ||
        !set_session_id(context, role))
        return status_fail(status, OUTCOME_INTERNAL, "cannot set up TLS");
    if (role == TLS_SERVER_014)
        SSL_CTX_set_alpn_select_cb(context, select_alpn, NULL);
    set_resumption(context);
    return load_files(context, config, status) &&
           (role == TLS_LINK_DIAL || announce_ca(context, env, config->ca, status));
}

static SSL_CTX *context_new(const struct env *env, const struct kme_config *config,
                            enum tls_role role, struct status *status)
{
    const SSL_METHOD *method = role == TLS_LINK_DIAL ? TLS_client_method() : TLS_server_method();
    SSL_CTX *context = SSL_CTX_new_ex(env->libctx, NULL, method);

    if (context == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "cannot make a TLS context");
        return NULL;
    }
    if (!set_up(context, env, config, role, status)) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

struct tls_set *tls_set_new(const struct env *env, const struct kme_config *config,
                            struct status *status)
{
    struct tls_set *set = OPENSSL_zalloc(sizeof(*set));

    if (set == NULL) {
        status_fail(status, OUTCOME_INTERNAL, "out of memory for TLS contexts");
        return NULL;
    }
    for (enum tls_role role = 0; role < TLS_ROLE_COUNT; role++) {
        set->contexts[role] = context_new(env, config, role, status);
        if (set->contexts[role] == NULL) {
            tls_set_free(set);
            return NULL;
        }
    }
    return set;
}

void tls_set_free(struct tls_set *set)
{
    if (set == NULL)
        return;
    for (enum tls_role role = 0; role < TLS_ROLE_COUNT; role++)
        SSL_CTX_free(set->contexts[role]);
    OPENSSL_free(set);
}

SSL *tls_new(const struct env *env, enum tls_role role)
{
    SSL *tls = SSL_new(env->tls->contexts[role]);

    if (tls == NULL)
        return NULL;
    if (role == TLS_LINK_DIAL)
        SSL_set_connect_state(tls);
    else
        SSL_set_accept_state(tls);
    return tls;
}
