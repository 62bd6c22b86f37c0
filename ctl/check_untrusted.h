/* SPDX-License-Identifier: Apache-2.0 */
/* A client with a certificate that it has signed itself, for the checks that it is refused. */
#ifndef QKD_CTL_CHECK_UNTRUSTED_H
#define QKD_CTL_CHECK_UNTRUSTED_H

#include "base/status.h"
#include "net/endpoint.h"

/* At that address, with common name `name`, trusting the CAs of the file. NULL and *status on
 * failure; the key exists in memory only. */
struct endpoint *check_untrusted_new(const struct endpoint_address *address, const char *name,
                                     const char *ca_file, struct status *status);

#endif
