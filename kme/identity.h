/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a TLS connection: the one subject CN of its verified certificate
 * (ETSI GS QKD 014 clause 5.1 leaves the place open). Nothing else is believed.
 */
#ifndef QKD_KME_IDENTITY_H
#define QKD_KME_IDENTITY_H

#include <openssl/types.h>

#include "etsi/etsi014.h"

enum { IDENTITY_BYTES = ETSI014_ID_MAX_CHARS + 1 };

/* "" when there is no verified certificate, or not exactly one usable CN in it. */
void identity_read(SSL *tls, char name[static IDENTITY_BYTES]);

#endif
