/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/endpoint.h"

struct scheme {
    const char *prefix;
    enum endpoint_api api;
    const char *default_port;
};

static const struct scheme schemes[] = {
    {"https://", ENDPOINT_ETSI014, "443"},
    {"etsi004://", ENDPOINT_ETSI004, "25575"},
};

static const struct scheme *find_scheme(const char *url)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strncmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
            return &schemes[i];
    return NULL;
}

static bool is_port(const char *text, size_t length)
{
    long value;

    if (length == 0 || length > 5 || strspn(text, "0123456789") < length)
        return false;
    value = strtol(text, NULL, 10);
    return value >= 1 && value <= 65535;
}

/* The host goes into a request and into name resolution as it stands. */
static bool is_host(const char *text, size_t length, bool in_brackets)
{
    static const char ipv6[] = "0123456789abcdefABCDEF:.";
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

    return length > 0 && length <= ENDPOINT_HOST_MAX_CHARS &&
           strspn(text, in_brackets ? ipv6 : name) >= length;
}

/* "[IPv6]" or a name up to ':' or '/'; returns what follows it, NULL if there is no host. */
static const char *take_host(const char *text, struct endpoint_address *address)
{
    bool in_brackets = *text == '[';
    const char *end = in_brackets ? strchr(text, ']') : text + strcspn(text, ":/");
    size_t length;

    if (end == NULL)
        return NULL;
    if (in_brackets)
        text++;
    length = (size_t)(end - text);
    if (!is_host(text, length, in_brackets))
        return NULL;
    memcpy(address->host, text, length);
    address->host[length] = '\0';
    return in_brackets ? end + 1 : end;
}

bool endpoint_address_parse(const char *url, struct endpoint_address *address,
                            struct status *status)
{
    const struct scheme *scheme = find_scheme(url);
    struct endpoint_address parsed;
    const char *rest;
    size_t port_length;

    if (scheme == NULL)
        return status_fail(status, OUTCOME_CONFIG,
                           "'%s' is neither https://HOST:PORT nor etsi004://HOST:PORT", url);
    memset(&parsed, 0, sizeof(parsed));
    parsed.api = scheme->api;
    snprintf(parsed.port, sizeof(parsed.port), "%s", scheme->default_port);
    rest = take_host(url + strlen(scheme->prefix), &parsed);
    if (rest == NULL)
        return status_fail(status, OUTCOME_CONFIG, "'%s' has no valid host name", url);
    if (*rest == ':') {
        port_length = strcspn(++rest, "/");
        if (!is_port(rest, port_length))
            return status_fail(status, OUTCOME_CONFIG, "'%s' has no valid port (1 to 65535)", url);
        memcpy(parsed.port, rest, port_length);
        parsed.port[port_length] = '\0';
        rest += port_length;
    }
    if (*rest != '\0' && strcmp(rest, "/") != 0)
        return status_fail(status, OUTCOME_CONFIG,
                           "'%s' goes on after host and port; a key server has no path", url);
    *address = parsed;
    return true;
}
