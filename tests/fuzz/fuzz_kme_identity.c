/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names in a certificate: what is taken is short text without a NUL, or nothing is. The input
 * is the length of a CN (one octet), the CN, and the DER of the alternative names.
 */
#include "tests/fuzz/fuzz.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "kme/identity.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\5alice\x30\x12\x86\5urn:a\x82\3a.b\x87\4\x7f\0\0\1"),
    FUZZ_SEED("\0\x30\x0c\x82\3a.b\x82\5c.d.e"),
    FUZZ_SEED("\4a\0bc\x30\x00"),
    FUZZ_SEED("\1x\x30\x13\x81\3a@b\xa4\x0c\x30\x0a\x31\x08\x30\x06\x06\x03\x55\x04\x03\x0c"),
};
FUZZ_SEED_COUNT;

static X509 *new_certificate(void)
{
    X509 *certificate = X509_new();
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    FUZZ_CHECK(certificate != NULL && key != NULL);
    X509_set_version(certificate, X509_VERSION_3);
    X509_set_pubkey(certificate, key);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    FUZZ_CHECK(X509_sign(certificate, key, NULL) > 0);
    EVP_PKEY_free(key);
    return certificate;
}

static void add_names(X509 *certificate, const uint8_t *der, size_t size)
{
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension;

    FUZZ_CHECK(octets != NULL && ASN1_OCTET_STRING_set(octets, der, (int)size) == 1);
    extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, octets);
    FUZZ_CHECK(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(octets);
}

static void check(const X509 *certificate)
{
    const char *why = NULL;
    struct identity *identity = identity_of(certificate, &why);
    size_t length = strlen(identity_text(identity));

    FUZZ_CHECK(why != NULL);
    FUZZ_CHECK(length > 0 && length <= ETSI014_ID_MAX_CHARS);
    identity_free(identity);
}

static void add_cn(X509 *certificate, const uint8_t *octets, size_t length)
{
    X509_NAME *subject = X509_NAME_dup(X509_get_subject_name(certificate));

    FUZZ_CHECK(subject != NULL);
    /* A name that OpenSSL does not take here is one that it reads from no certificate either. */
    if (X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING, octets, (int)length,
                                   -1, 0) == 1)
        X509_set_subject_name(certificate, subject);
    X509_NAME_free(subject);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static X509 *template;
    X509 *certificate;
    size_t cn_bytes;

    if (size == 0)
        return 0;
    if (template == NULL)
        template = new_certificate();
    cn_bytes = data[0] < size ? data[0] : size - 1;
    certificate = X509_dup(template);
    FUZZ_CHECK(certificate != NULL);
    if (cn_bytes > 0)
        add_cn(certificate, data + 1, cn_bytes);
    if (size > 1 + cn_bytes)
        add_names(certificate, data + 1 + cn_bytes, size - 1 - cn_bytes);
    check(certificate);
    X509_free(certificate);
    ERR_clear_error();
    return 0;
}
