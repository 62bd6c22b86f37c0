/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "ctl/file.h"

enum {
    SERIAL_BITS = 127,
    PEM_MAX_BYTES = 16384,
    SECONDS_BEFORE = 3600, /* clocks differ */
    SECONDS_VALID = 365 * 24 * 3600
};

struct identity {
    const char *name;     /* of the files and in the subject */
    const char *purposes; /* extended key usage; NULL for the authority */
};

static const struct identity identities[] = {
    {"ca", NULL},
    {"kme-a", "serverAuth,clientAuth"},
    {"kme-b", "serverAuth,clientAuth"},
    {"alice", "clientAuth"},
    {"bob", "clientAuth"},
    {"carol", "clientAuth"},
    {"dave", "clientAuth"},
    {"localhost", "serverAuth"},
};

struct authority {
    X509 *cert;
    EVP_PKEY *key;
};

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;
    bool added;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
    added = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool add_extensions(X509 *cert, X509 *issuer, const struct identity *identity)
{
    char names[160];

    if (!add_extension(cert, issuer, NID_subject_key_identifier, "hash"))
        return false;
    if (identity->purposes == NULL)
        return add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
               add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    snprintf(names, sizeof(names), "DNS:localhost%s%s,IP:127.0.0.1,IP:::1",
             strcmp(identity->name, "localhost") == 0 ? "" : ",DNS:",
             strcmp(identity->name, "localhost") == 0 ? "" : identity->name);
    return add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always") &&
           add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, issuer, NID_ext_key_usage, identity->purposes) &&
           add_extension(cert, issuer, NID_subject_alt_name, names);
}

static bool set_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    bool set = number != NULL &&
               BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
               BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;

    BN_free(number);
    return set;
}

static bool set_subject(X509 *cert, const char *name)
{
    X509_NAME *subject = X509_NAME_new();
    bool set = subject != NULL &&
               X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name,
                                          -1, -1, 0) == 1 &&
               X509_set_subject_name(cert, subject) == 1;

    X509_NAME_free(subject);
    return set;
}

/* Signed by the authority, or by itself when the authority has no certificate yet. */
static X509 *make_cert(const struct identity *identity, EVP_PKEY *key,
                       const struct authority *authority)
{
    X509 *cert = X509_new();
    X509 *issuer = authority->cert != NULL ? authority->cert : cert;

    if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
        set_subject(cert, identity->name) &&
        X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(cert), -SECONDS_BEFORE) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(cert), SECONDS_VALID) != NULL &&
        X509_set_pubkey(cert, key) == 1 && add_extensions(cert, issuer, identity) &&
        X509_sign(cert, authority->key != NULL ? authority->key : key, EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

/* Writes what a PEM writer left in a memory BIO, which OpenSSL wipes when it frees it. */
static bool write_bio(const struct lab *lab, const char *name, const char *ending, mode_t mode,
                      BIO *bio, struct status *status)
{
    char path[PATH_MAX], *data;
    struct buf content;
    long length = BIO_get_mem_data(bio, &data);

    buf_init(&content, PEM_MAX_BYTES);
    buf_put(&content, data, (size_t)length);
    if (lab_path(lab, path, status, "pki/%s.%s", name, ending))
        file_create(path, mode, &content, status);
    buf_free(&content);
    return status->outcome == OUTCOME_OK;
}

static bool write_pair(const struct lab *lab, const char *name, X509 *cert, EVP_PKEY *key,
                       struct status *status)
{
    BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());

    if (cert_pem == NULL || key_pem == NULL || PEM_write_bio_X509(cert_pem, cert) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) != 1)
        status_fail(status, OUTCOME_INTERNAL, "cannot encode the certificate of %s", name);
    else if (write_bio(lab, name, "key", 0600, key_pem, status))
        write_bio(lab, name, "pem", 0644, cert_pem, status);
    BIO_free(cert_pem);
    BIO_free(key_pem);
    return status->outcome == OUTCOME_OK;
}

/* The first identity becomes the authority, which then owns its certificate and key. */
static bool make_identity(const struct lab *lab, const struct identity *identity,
                          struct authority *authority, struct status *status)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key != NULL ? make_cert(identity, key, authority) : NULL;

    if (cert == NULL)
        status_fail(status, OUTCOME_INTERNAL, "OpenSSL cannot make a certificate for %s",
                    identity->name);
    else
        write_pair(lab, identity->name, cert, key, status);
    if (authority->cert == NULL) {
        authority->cert = cert;
        authority->key = key;
        return status->outcome == OUTCOME_OK;
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    return status->outcome == OUTCOME_OK;
}

bool lab_write_pki(const struct lab *lab, struct status *status)
{
    struct authority authority = {NULL, NULL};
    char path[PATH_MAX];
    bool done = true;

    if (!lab_path(lab, path, status, "pki"))
        return false;
    if (mkdir(path, 0755) != 0)
        return status_fail(status, OUTCOME_CONFIG, "cannot make %s: %s", path, strerror(errno));
    for (size_t i = 0; done && i < sizeof(identities) / sizeof(identities[0]); i++)
        done = make_identity(lab, &identities[i], &authority, status);
    X509_free(authority.cert);
    EVP_PKEY_free(authority.key);
    return done;
}
