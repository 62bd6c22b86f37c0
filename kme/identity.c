/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/identity.h"

#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { NAMES_MAX_COUNT = IDENTITY_SANS_MAX + 1 /* the CN */ };

struct identity {
    uint8_t fingerprint[IDENTITY_FINGERPRINT_BYTES];
    size_t count;
    struct {
        enum identity_name kind;
        char *text;
    } names[NAMES_MAX_COUNT];
};

static const char bad_name[] = "a name in its certificate is too long, empty, or has a NUL";
static const char no_memory[] = "out of memory for its identity";

void identity_free(struct identity *identity)
{
    if (identity == NULL)
        return;
    for (size_t i = 0; i < identity->count; i++)
        OPENSSL_free(identity->names[i].text);
    OPENSSL_free(identity);
}

static bool add(struct identity *identity, enum identity_name kind, const void *text, int length,
                const char **why)
{
    *why = bad_name;
    if (length <= 0 || length > ETSI014_ID_MAX_CHARS || memchr(text, 0, (size_t)length) != NULL)
        return false;
    *why = no_memory;
    identity->names[identity->count].kind = kind;
    identity->names[identity->count].text = OPENSSL_strndup(text, (size_t)length);
    if (identity->names[identity->count].text == NULL)
        return false;
    identity->count++;
    return true;
}

static bool read_common_name(struct identity *identity, const X509 *certificate, const char **why)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1), length;
    unsigned char *text = NULL;
    bool done;

    if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0)
        return true;
    length =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
    done = add(identity, IDENTITY_CN, text, length, why);
    if (length >= 0)
        OPENSSL_free(text);
    return done;
}

static bool read_alternative(struct identity *identity, const GENERAL_NAME *name, const char **why)
{
    int type;
    const ASN1_IA5STRING *text = GENERAL_NAME_get0_value(name, &type);

    if (type != GEN_URI && type != GEN_DNS)
        return true;
    return add(identity, type == GEN_URI ? IDENTITY_SAN_URI : IDENTITY_SAN_DNS,
               ASN1_STRING_get0_data(text), ASN1_STRING_length(text), why);
}

static bool read_all(struct identity *identity, const GENERAL_NAMES *names, const char **why)
{
    int count = sk_GENERAL_NAME_num(names);

    *why = "its certificate has too many alternative names";
    if (count > IDENTITY_SANS_MAX)
        return false;
    for (int i = 0; i < count; i++)
        if (!read_alternative(identity, sk_GENERAL_NAME_value(names, i), why))
            return false;
    return true;
}

static bool read_alternatives(struct identity *identity, const X509 *certificate, const char **why)
{
    int critical = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    bool done;

    *why = "the alternative names of its certificate cannot be read";
    if (names == NULL)
        return critical == -1; /* there are none */
    done = read_all(identity, names, why);
    GENERAL_NAMES_free(names);
    return done;
}

static bool read_fingerprint(struct identity *identity, const X509 *certificate, const char **why)
{
    unsigned length = 0;

    *why = no_memory;
    return X509_digest(certificate, EVP_sha256(), identity->fingerprint, &length) == 1 &&
           length == IDENTITY_FINGERPRINT_BYTES;
}

struct identity *identity_of(const X509 *certificate, const char **why)
{
    struct identity *identity = OPENSSL_zalloc(sizeof(*identity));

    *why = no_memory;
    if (identity == NULL)
        return NULL;
    if (!read_common_name(identity, certificate, why) ||
        !read_alternatives(identity, certificate, why) ||
        !read_fingerprint(identity, certificate, why)) {
        identity_free(identity);
        return NULL;
    }
    return identity;
}

struct identity *identity_read(SSL *tls, const char **why)
{
    X509 *certificate = NULL;
    struct identity *identity;

    *why = "there is no verified certificate";
    if (tls != NULL && SSL_get_verify_result(tls) == X509_V_OK)
        certificate = SSL_get1_peer_certificate(tls);
    if (certificate == NULL)
        return NULL;
    identity = identity_of(certificate, why);
    X509_free(certificate);
    return identity;
}

const char *identity_text(const struct identity *identity)
{
    return identity == NULL || identity->count == 0 ? "?" : identity->names[0].text;
}

bool identity_has(const struct identity *identity, enum identity_name kind, const char *name)
{
    if (identity == NULL)
        return false;
    for (size_t i = 0; i < identity->count; i++)
        if (identity->names[i].kind == kind &&
            (kind == IDENTITY_SAN_DNS ? strcasecmp(identity->names[i].text, name)
                                      : strcmp(identity->names[i].text, name)) == 0)
            return true;
    return false;
}

bool identity_has_fingerprint(const struct identity *identity,
                              const uint8_t fingerprint[static IDENTITY_FINGERPRINT_BYTES])
{
    return identity != NULL &&
           memcmp(identity->fingerprint, fingerprint, IDENTITY_FINGERPRINT_BYTES) == 0;
}
