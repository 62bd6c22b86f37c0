/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/identity.h"

#include <string.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

static void read_common_name(const X509 *certificate, char name[static IDENTITY_BYTES])
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;
    int length;

    if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0)
        return;
    length =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
    if (length > 0 && length < IDENTITY_BYTES && memchr(text, 0, (size_t)length) == NULL) {
        memcpy(name, text, (size_t)length);
        name[length] = '\0';
    }
    if (length >= 0)
        OPENSSL_free(text);
}

void identity_read(SSL *tls, char name[static IDENTITY_BYTES])
{
    X509 *certificate;

    name[0] = '\0';
    if (tls == NULL || SSL_get_verify_result(tls) != X509_V_OK)
        return;
    certificate = SSL_get1_peer_certificate(tls);
    if (certificate == NULL)
        return;
    read_common_name(certificate, name);
    X509_free(certificate);
}
