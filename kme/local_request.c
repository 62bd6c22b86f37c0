/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/local_request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HOST_BYTES = ADDRESS_TEXT_BYTES + 16 };

static bool is_our_host(const char *host, const struct address *listen)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    const char *port = strrchr(listen->text, ':');
    char text[HOST_BYTES];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(text, sizeof(text), "%s%s", names[i], port != NULL ? port : "");
        if (strcasecmp(host, text) == 0)
            return true;
    }
    return strcasecmp(host, listen->text) == 0;
}

bool local_request_check(const struct http_request *request, const struct address *listen,
                         const char **why)
{
    static const char scheme[] = "http://";

    if (!is_our_host(request->host, listen)) {
        *why = "the Host header is not a loopback name or address with our port";
        return false;
    }
    if (request->origin[0] == '\0' ||
        (strncmp(request->origin, scheme, strlen(scheme)) == 0 &&
         strcasecmp(request->origin + strlen(scheme), request->host) == 0))
        return true;
    *why = "the Origin header names another site";
    return false;
}
