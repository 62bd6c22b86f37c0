/* SPDX-License-Identifier: Apache-2.0 */
/* What the doctor says of certificates: names and dates, for people. */
#ifndef QKD_CTL_DOCTOR_CERT_H
#define QKD_CTL_DOCTOR_CERT_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

#include "ctl/doctor.h"

enum { DOCTOR_CERT_NAME_BYTES = 128, DOCTOR_DATE_BYTES = 32, DOCTOR_CERTS_MAX = 64 };

/* The common name of the subject, or all of the subject when it has none. */
void doctor_cert_name(const X509 *cert, char *name, size_t name_bytes);

/* The same of the first certificate in a PEM file; false when there is none. */
bool doctor_cert_file_name(const char *path, char *name, size_t name_bytes);

/* Every certificate of a PEM file, at most DOCTOR_CERTS_MAX; the caller frees. */
size_t doctor_cert_read(const char *path, X509 *certs[static DOCTOR_CERTS_MAX]);

/* A time as "2026-11-24 05:00 UTC". */
void doctor_cert_date(const ASN1_TIME *time, char date[static DOCTOR_DATE_BYTES]);

/* A wrong finding when the certificate is not valid now, a warning when it will not be for long;
 * `what` begins the sentence ("cert: the certificate of 'alice'"), `renew` is the cure. True when
 * it is valid now. */
bool doctor_cert_dates(struct doctor *doctor, const X509 *cert, const char *what,
                       const char *renew);

#endif
