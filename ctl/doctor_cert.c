/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/doctor_cert.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

enum { SOON_DAYS = 30 };

void doctor_cert_name(const X509 *cert, char *name, size_t name_bytes)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    int place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    const X509_NAME_ENTRY *entry = place >= 0 ? X509_NAME_get_entry(subject, place) : NULL;
    unsigned char *text = NULL;
    int length = entry != NULL ? ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry)) : -1;

    if (length > 0)
        snprintf(name, name_bytes, "%.*s", length, (const char *)text);
    else
        X509_NAME_oneline(subject, name, (int)name_bytes);
    OPENSSL_free(text);
}

bool doctor_cert_file_name(const char *path, char *name, size_t name_bytes)
{
    X509 *certs[DOCTOR_CERTS_MAX];
    size_t count = doctor_cert_read(path, certs);

    if (count > 0)
        doctor_cert_name(certs[0], name, name_bytes);
    for (size_t i = 0; i < count; i++)
        X509_free(certs[i]);
    return count > 0;
}

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *argument)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)argument;
    return -1;
}

size_t doctor_cert_read(const char *path, X509 *certs[static DOCTOR_CERTS_MAX])
{
    BIO *file = BIO_new_file(path, "r");
    size_t count = 0;

    while (file != NULL && count < DOCTOR_CERTS_MAX) {
        certs[count] = PEM_read_bio_X509(file, NULL, no_passphrase, NULL);
        if (certs[count] == NULL)
            break;
        count++;
    }
    BIO_free(file);
    ERR_clear_error();
    return count;
}

void doctor_cert_date(const ASN1_TIME *time, char date[static DOCTOR_DATE_BYTES])
{
    struct tm parts;

    if (ASN1_TIME_to_tm(time, &parts) != 1 ||
        strftime(date, DOCTOR_DATE_BYTES, "%Y-%m-%d %H:%M UTC", &parts) == 0)
        snprintf(date, DOCTOR_DATE_BYTES, "an unreadable date");
}

/* What this machine takes for the present. */
static void put_now(char date[static DOCTOR_DATE_BYTES])
{
    time_t now = time(NULL);
    struct tm parts;

    if (gmtime_r(&now, &parts) == NULL ||
        strftime(date, DOCTOR_DATE_BYTES, "%Y-%m-%d %H:%M UTC", &parts) == 0)
        date[0] = '\0';
}

bool doctor_cert_dates(struct doctor *doctor, const X509 *cert, const char *what, const char *renew)
{
    const ASN1_TIME *from = X509_get0_notBefore(cert), *until = X509_get0_notAfter(cert);
    char date[DOCTOR_DATE_BYTES], now[DOCTOR_DATE_BYTES], cure[DOCTOR_CURE_BYTES];
    int days = 0, seconds = 0;

    put_now(now);
    if (X509_cmp_current_time(from) > 0) {
        doctor_cert_date(from, date);
        doctor_wrong(doctor,
                     doctor_cure(cure,
                                 "if that is not the time now, set this machine's clock; "
                                 "otherwise wait, or %s",
                                 renew),
                     "%s is valid only from %s on, and this machine's clock says %s", what, date,
                     now);
        return false;
    }
    doctor_cert_date(until, date);
    if (X509_cmp_current_time(until) < 0) {
        doctor_wrong(doctor, renew, "%s expired on %s, and this machine's clock says %s", what,
                     date, now);
        return false;
    }
    if (ASN1_TIME_diff(&days, &seconds, NULL, until) == 1 && days < SOON_DAYS)
        doctor_warn(doctor, renew, "%s expires in %d days, on %s", what, days, date);
    return true;
}
