/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check_untrusted.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "keys/pem_file.h"

enum { SECONDS_BEFORE = 3600, SECONDS_VALID = 86400 };

static X509 *sign_itself(EVP_PKEY *key, const char *name)
{
    X509 *cert = X509_new();
    X509_NAME *subject = cert != NULL ? X509_get_subject_name(cert) : NULL;

    if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                   -1, 0) == 1 &&
        X509_set_issuer_name(cert, subject) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(cert), -SECONDS_BEFORE) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(cert), SECONDS_VALID) != NULL &&
        X509_set_pubkey(cert, key) == 1 && X509_sign(cert, key, EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

/* What a BIO holds; the BIO wipes its memory when it is freed. */
static bool take_pem(BIO *bio, struct buf *into)
{
    char *text;
    long length = BIO_get_mem_data(bio, &text);

    buf_put(into, text, (size_t)length);
    return !into->failed;
}

static bool write_pems(X509 *cert, EVP_PKEY *key, struct buf *cert_pem, struct buf *key_pem)
{
    BIO *cert_bio = BIO_new(BIO_s_secmem()), *key_bio = BIO_new(BIO_s_secmem());
    bool ok = cert_bio != NULL && key_bio != NULL && PEM_write_bio_X509(cert_bio, cert) == 1 &&
              PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              take_pem(cert_bio, cert_pem) && take_pem(key_bio, key_pem);

    BIO_free(cert_bio);
    BIO_free(key_bio);
    return ok;
}

static bool make_pems(const char *name, struct buf *cert_pem, struct buf *key_pem,
                      struct status *status)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key != NULL ? sign_itself(key, name) : NULL;
    bool ok = cert != NULL && write_pems(cert, key, cert_pem, key_pem);

    X509_free(cert);
    EVP_PKEY_free(key);
    return ok || status_fail(status, OUTCOME_INTERNAL, "a self-signed certificate cannot be made");
}

struct endpoint *check_untrusted_new(const struct endpoint_address *address, const char *name,
                                     const char *ca_file, struct status *status)
{
    struct buf cert_pem, key_pem, ca_pem;
    struct endpoint *endpoint = NULL;

    buf_init(&cert_pem, ENDPOINT_PEM_MAX_BYTES);
    buf_init(&key_pem, ENDPOINT_PEM_MAX_BYTES);
    buf_init(&ca_pem, ENDPOINT_PEM_MAX_BYTES);
    if (make_pems(name, &cert_pem, &key_pem, status) &&
        pem_file_read("ca", ca_file, &ca_pem, status)) {
        endpoint = endpoint_new(address, &cert_pem, &key_pem, &ca_pem);
        if (endpoint == NULL)
            status_fail(status, OUTCOME_INTERNAL, "out of memory for a self-signed certificate");
    }
    buf_free(&cert_pem);
    buf_free(&key_pem);
    buf_free(&ca_pem);
    return endpoint;
}
