/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check_cert.h"

#include <stdio.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { SERIAL_BITS = 127 };

void identity014_free(struct identity014 *identity)
{
    X509_free(identity->cert);
    EVP_PKEY_free(identity->key);
    *identity = (struct identity014){NULL, NULL};
}

bool identity014_read(const char *cert_path, const char *key_path, struct identity014 *identity,
                      struct status *status)
{
    BIO *cert = BIO_new_file(cert_path, "r"), *key = BIO_new_file(key_path, "r");

    *identity = (struct identity014){NULL, NULL};
    if (cert != NULL && key != NULL) {
        identity->cert = PEM_read_bio_X509(cert, NULL, NULL, NULL);
        identity->key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
    }
    BIO_free(cert);
    BIO_free(key);
    if (identity->cert != NULL && identity->key != NULL)
        return true;
    identity014_free(identity);
    return status_fail(status, OUTCOME_CONFIG, "cannot read a certificate from %s and its key",
                       cert_path);
}

static bool copy_names(X509 *cert, const X509 *like)
{
    int place = X509_get_ext_by_NID(like, NID_subject_alt_name, -1);

    return X509_set_subject_name(cert, X509_get_subject_name(like)) == 1 &&
           (place < 0 || X509_add_ext(cert, X509_get_ext(like, place), -1) == 1);
}

static bool add_names(X509_NAME *subject, const struct cert_wish *wish)
{
    for (size_t i = 0; i < 2; i++)
        if (wish->names[i] != NULL &&
            X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                       (const unsigned char *)wish->names[i], -1, -1, 0) != 1)
            return false;
    return wish->names[0] != NULL ||
           X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"nobody",
                                      -1, -1, 0) == 1;
}

static bool set_names(X509 *cert, const struct cert_wish *wish)
{
    X509_NAME *subject;
    bool set;

    if (wish->like != NULL)
        return copy_names(cert, wish->like);
    subject = X509_NAME_new();
    set = subject != NULL && add_names(subject, wish) && X509_set_subject_name(cert, subject) == 1;
    X509_NAME_free(subject);
    return set;
}

static bool set_purpose(X509 *cert, const char *purpose)
{
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, NID_ext_key_usage, purpose);
    bool set = extension != NULL && X509_add_ext(cert, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return set;
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

bool identity014_make(const struct cert_wish *wish, struct identity014 *identity,
                      struct status *status)
{
    X509 *cert = X509_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");

    *identity = (struct identity014){cert, key};
    if (cert != NULL && key != NULL && X509_set_version(cert, X509_VERSION_3) == 1 &&
        set_serial(cert) && set_names(cert, wish) &&
        X509_set_issuer_name(
            cert, X509_get_subject_name(wish->issuer != NULL ? wish->issuer->cert : cert)) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(cert), wish->from_s) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(cert), wish->until_s) != NULL &&
        X509_set_pubkey(cert, key) == 1 && set_purpose(cert, wish->purpose) &&
        X509_sign(cert, wish->issuer != NULL ? wish->issuer->key : key, EVP_sha256()) > 0)
        return true;
    identity014_free(identity);
    return status_fail(status, OUTCOME_INTERNAL, "OpenSSL cannot make a certificate");
}
