/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "ctl/doctor_cert.h"
#include "ctl/doctor_steps.h"
#include "net/endpoint.h"

enum { WHAT_BYTES = 256 };

static bool check_cert_purpose(struct doctor *doctor, X509 *cert, const char *name)
{
    char cure[DOCTOR_CURE_BYTES];

    if (X509_check_purpose(cert, X509_PURPOSE_SSL_CLIENT, 0) == 1)
        return true;
    doctor_wrong(doctor,
                 doctor_cure(cure,
                             "get a certificate with extended key usage clientAuth from the CA of "
                             "the key server and put it into %s",
                             doctor->values[SETTING_CERT]),
                 "cert: the certificate of '%s' is not meant for TLS clients, and key servers "
                 "refuse it",
                 name);
    return false;
}

static void check_cert_sae(struct doctor *doctor, X509 *cert, const char *name)
{
    const char *sae = settings_sae(doctor->settings);
    char cure[DOCTOR_CURE_BYTES];

    if (strcmp(name, sae) == 0 || X509_check_host(cert, sae, 0, 0, NULL) == 1)
        return;
    doctor_warn(doctor,
                doctor_cure(cure,
                            "if the key server knows you by the name in the certificate, "
                            "write in section [%s]: sae = %s",
                            doctor->provider_section, name),
                "the certificate is that of '%s', and sae is '%s': key servers usually know an SAE "
                "by the name in its certificate",
                name, sae);
}

static bool check_cert(struct doctor *doctor, X509 *cert)
{
    char name[DOCTOR_CERT_NAME_BYTES], what[WHAT_BYTES], cure[DOCTOR_CURE_BYTES];

    doctor_cert_name(cert, name, sizeof(name));
    snprintf(what, sizeof(what), "cert: the certificate of '%s'", name);
    doctor_cure(cure, "get a new certificate from the CA of the key server and put it into %s",
                doctor->values[SETTING_CERT]);
    if (!doctor_cert_dates(doctor, cert, what, cure) || !check_cert_purpose(doctor, cert, name))
        return false;
    check_cert_sae(doctor, cert, name);
    return true;
}

static int no_passphrase(char *buffer, int size, int writing, void *argument)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)argument = true;
    return -1;
}

static EVP_PKEY *read_key(const char *path, bool *passphrase)
{
    BIO *file = BIO_new_file(path, "r");
    EVP_PKEY *key =
        file != NULL ? PEM_read_bio_PrivateKey(file, NULL, no_passphrase, passphrase) : NULL;

    BIO_free(file);
    return key;
}

static void say_key_fault(struct doctor *doctor, bool passphrase)
{
    const char *path = doctor->values[SETTING_KEY];
    char cure[DOCTOR_CURE_BYTES];

    if (passphrase)
        doctor_wrong(
            doctor,
            doctor_cure(cure,
                        "write it without one to another file and name that: "
                        "openssl pkey -in %s -out NEW.key",
                        path),
            "key: the private key in '%s' has a passphrase, and nobody is there to type it", path);
    else
        doctor_wrong(doctor, "let 'key' name the PEM file with the private key of the certificate",
                     "key: the file '%s' holds no PEM private key", path);
}

static bool check_key(struct doctor *doctor, X509 *cert)
{
    bool passphrase = false, matches;
    EVP_PKEY *key = read_key(doctor->values[SETTING_KEY], &passphrase);
    char cure[DOCTOR_CURE_BYTES], name[DOCTOR_CERT_NAME_BYTES];

    if (key == NULL) {
        say_key_fault(doctor, passphrase);
        return false;
    }
    matches = X509_check_private_key(cert, key) == 1;
    EVP_PKEY_free(key);
    doctor_cert_name(cert, name, sizeof(name));
    if (!matches)
        doctor_wrong(doctor,
                     doctor_cure(cure,
                                 "in section [%s] let cert and key name the two files of one "
                                 "identity; 'openssl pkey -in %s -pubout' and 'openssl x509 "
                                 "-in %s -noout -pubkey' must print the same",
                                 doctor->provider_section, doctor->values[SETTING_KEY],
                                 doctor->values[SETTING_CERT]),
                     "key: the private key in '%s' is not that of the certificate of '%s' in '%s'",
                     doctor->values[SETTING_KEY], name, doctor->values[SETTING_CERT]);
    return matches;
}

static void check_key_mode(struct doctor *doctor)
{
    const char *path = doctor->values[SETTING_KEY];
    char cure[DOCTOR_CURE_BYTES];
    struct stat about;

    if (stat(path, &about) == 0 && (about.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        doctor_warn(doctor, doctor_cure(cure, "chmod o=,g-w %s", path),
                    "key: '%s' has mode %04o: others can reach the private key", path,
                    (unsigned)about.st_mode & 07777U);
}

/* Of several the first that is valid now; when none is, the first. */
static const X509 *choose_ca(X509 *const *cas, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (X509_cmp_current_time(X509_get0_notBefore(cas[i])) <= 0 &&
            X509_cmp_current_time(X509_get0_notAfter(cas[i])) >= 0)
            return cas[i];
    return cas[0];
}

static bool check_cas(struct doctor *doctor, X509 *const *cas, size_t count)
{
    const X509 *ca = choose_ca(cas, count);
    char name[DOCTOR_CERT_NAME_BYTES], what[WHAT_BYTES], cure[DOCTOR_CURE_BYTES];

    doctor_cure(cure, "get the present certificate of the key server's CA and put it into %s",
                doctor->values[SETTING_CA]);
    doctor_cert_name(ca, name, sizeof(name));
    snprintf(what, sizeof(what), "ca: the certificate of '%s'", name);
    return doctor_cert_dates(doctor, ca, what, cure);
}

static bool check_files(struct doctor *doctor, X509 *const *certs, size_t cert_count,
                        X509 *const *cas, size_t ca_count)
{
    if (cert_count == 0)
        doctor_wrong(doctor, "let 'cert' name the PEM file with our certificate",
                     "cert: the file '%s' holds no PEM certificate", doctor->values[SETTING_CERT]);
    if (ca_count == 0)
        doctor_wrong(doctor,
                     "let 'ca' name the PEM file with the certificate of the key server's CA",
                     "ca: the file '%s' holds no PEM certificate", doctor->values[SETTING_CA]);
    if (cert_count == 0 || ca_count == 0 || !check_cert(doctor, certs[0]) ||
        !check_key(doctor, certs[0]) || !check_cas(doctor, cas, ca_count))
        return false;
    check_key_mode(doctor);
    return true;
}

static void say_fine(struct doctor *doctor, const X509 *cert)
{
    char name[DOCTOR_CERT_NAME_BYTES], until[DOCTOR_DATE_BYTES], issuer[DOCTOR_CERT_NAME_BYTES];

    doctor_cert_name(cert, name, sizeof(name));
    doctor_cert_date(X509_get0_notAfter(cert), until);
    X509_NAME_oneline(X509_get_issuer_name(cert), issuer, (int)sizeof(issuer));
    doctor_ok(doctor, "certificate of '%s', issued by %s, valid until %s, and its key", name,
              issuer, until);
}

void doctor_identity(struct doctor *doctor)
{
    X509 *certs[DOCTOR_CERTS_MAX], *cas[DOCTOR_CERTS_MAX];
    size_t cert_count = doctor_cert_read(doctor->values[SETTING_CERT], certs);
    size_t ca_count = doctor_cert_read(doctor->values[SETTING_CA], cas);
    struct status status = STATUS_INIT;

    if (check_files(doctor, certs, cert_count, cas, ca_count)) {
        /* The last word has the code that handshakes use. */
        if (endpoint_tls(settings_endpoint(doctor->settings), &status) == NULL)
            doctor_wrong(doctor, "mend the file", "%s", status.text);
        else
            say_fine(doctor, certs[0]);
    }
    for (size_t i = 0; i < cert_count; i++)
        X509_free(certs[i]);
    for (size_t i = 0; i < ca_count; i++)
        X509_free(cas[i]);
}
