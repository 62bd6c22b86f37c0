/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether this module was built for the OpenSSL that loads it. One libcrypto major is another
 * library with other structures: a module of the wrong one brings a second libcrypto into the
 * process, which would read openssl.cnf again and initialise the provider a second time.
 */
#ifndef QKD_PROVIDER_MAJOR_H
#define QKD_PROVIDER_MAJOR_H

#include <stdbool.h>

#include <openssl/core.h>

#include "base/status.h"

/* Asks the core for its version, through the core's own functions alone. OUTCOME_CONFIG, with both
 * majors and what to install in *status, when it is not the major that this was compiled for. */
bool major_fits(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core, struct status *status);

#endif
