/* SPDX-License-Identifier: Apache-2.0 */
/* An identity made for one run of a test program: cert.pem (its own authority) and key.pem. */
#ifndef QKD_TESTS_UNIT_PEM_H
#define QKD_TESTS_UNIT_PEM_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tests/unit/temp.h"

static inline X509 *pem_make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_NAME_new();

    assert_true(certificate != NULL && name != NULL);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"localhost", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_subject_name(certificate, name), 1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    X509_NAME_free(name);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static inline FILE *pem_open(const struct temp *temp, const char *name)
{
    char path[TEMP_PATH_BYTES];
    FILE *file;

    temp_path(temp, name, path);
    file = fopen(path, "w");
    assert_non_null(file);
    return file;
}

static inline void pem_write_identity(const struct temp *temp)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = pem_make_certificate(key);
    FILE *cert_file = pem_open(temp, "cert.pem"), *key_file = pem_open(temp, "key.pem");

    assert_int_equal(PEM_write_X509(cert_file, certificate), 1);
    assert_int_equal(PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(cert_file);
    fclose(key_file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

#endif
