/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a request to the admin side comes from a program of this machine, and not from a web page
 * in a browser of this machine: by another site's script, or by a name that was made to lead to a
 * loopback address (DNS rebinding). Pure.
 */
#ifndef QKD_KME_LOCAL_REQUEST_H
#define QKD_KME_LOCAL_REQUEST_H

#include "kme/address.h"
#include "kme/http_request.h"

/* Host must be a loopback name or address with our port, and Origin the same or absent. On false
 * *why is a sentence. */
bool local_request_check(const struct http_request *request, const struct address *listen,
                         const char **why);

#endif
