/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_sessions.h"

#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

enum { REFUSED_MAX = 3 };

struct kept_session {
    SSL_SESSION *session;
    pid_t owner;
};

static void kept_free(struct kept_session *kept)
{
    if (kept == NULL)
        return;
    SSL_SESSION_free(kept->session);
    OPENSSL_free(kept);
}

void tls_sessions_free(struct tls_sessions *sessions)
{
    for (int i = 0; i < TLS_SESSIONS_MAX; i++)
        kept_free(atomic_exchange(&sessions->places[i], NULL));
}

void tls_sessions_put(struct tls_sessions *sessions, SSL_SESSION *session)
{
    struct kept_session *kept;
    unsigned place;

    ERR_set_mark();
    kept = OPENSSL_zalloc(sizeof(*kept));
    if (kept != NULL)
        /* A copy, for the connection goes on with its own, perhaps in another thread. */
        kept->session = SSL_SESSION_dup(session);
    ERR_pop_to_mark();
    if (kept == NULL || kept->session == NULL) {
        kept_free(kept);
        return;
    }
    kept->owner = getpid();
    place = atomic_fetch_add(&sessions->next, 1) % TLS_SESSIONS_MAX;
    kept_free(atomic_exchange(&sessions->places[place], kept));
}

/* Nobody looks at the certificate again in a connection that resumes a session. */
static bool is_usable(const struct kept_session *kept)
{
    const X509 *peer = SSL_SESSION_get0_peer(kept->session);

    return kept->owner == getpid() && peer != NULL &&
           X509_cmp_current_time(X509_get0_notAfter(peer)) > 0;
}

SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions)
{
    unsigned next = atomic_load(&sessions->next);

    if (atomic_load(&sessions->refused) >= REFUSED_MAX)
        return NULL;
    for (unsigned back = 1; back <= TLS_SESSIONS_MAX; back++) {
        struct kept_session *kept =
            atomic_exchange(&sessions->places[(next - back) % TLS_SESSIONS_MAX], NULL);
        SSL_SESSION *session = NULL;

        if (kept != NULL && is_usable(kept)) {
            session = kept->session;
            kept->session = NULL;
        }
        kept_free(kept);
        if (session != NULL)
            return session;
    }
    return NULL;
}

void tls_sessions_note(struct tls_sessions *sessions, bool harmless)
{
    if (harmless)
        atomic_store(&sessions->refused, 0);
    else
        atomic_fetch_add(&sessions->refused, 1);
}
