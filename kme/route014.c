/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/route014.h"

#include <string.h>

#include <openssl/crypto.h>

static const char path_prefix[] = "/api/v1/keys/";

static const struct {
    const char *name;
    enum etsi014_method method;
    const char *allow;
} routes[] = {
    {"status", ETSI014_GET_STATUS, "GET"},
    {"enc_keys", ETSI014_GET_KEY, "GET, POST"},
    {"dec_keys", ETSI014_GET_KEY_IDS, "GET, POST"},
};

enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* Decodes %XX once. False for a broken escape, an encoded NUL, or too little room. */
static bool percent_decode(const char *text, size_t length, char *to, size_t room)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        int octet = (unsigned char)text[i];

        if (used + 1 >= room)
            return false;
        if (octet == '%') {
            int high = i + 2 < length ? OPENSSL_hexchar2int((unsigned char)text[i + 1]) : -1;
            int low = high >= 0 ? OPENSSL_hexchar2int((unsigned char)text[i + 2]) : -1;

            octet = low >= 0 ? high << 4 | low : 0;
            if (octet == 0)
                return false;
            i += 2;
        }
        to[used++] = (char)octet;
    }
    to[used] = '\0';
    return true;
}

enum route_result route014_parse(const char *target, struct route014 *route)
{
    const char *segment = target + strlen(path_prefix), *slash;
    size_t length, whole;

    if (strncmp(target, path_prefix, strlen(path_prefix)) != 0)
        return ROUTE_NOT_FOUND;
    slash = segment + strcspn(segment, "/?");
    if (*slash != '/' || slash == segment)
        return ROUTE_NOT_FOUND;
    whole = strcspn(slash + 1, "?");
    route->trailing_slash = whole > 0 && slash[whole] == '/';
    length = whole - (route->trailing_slash ? 1 : 0);
    for (size_t i = 0; i < ROUTES; i++) {
        if (strlen(routes[i].name) != length || memcmp(routes[i].name, slash + 1, length) != 0)
            continue;
        route->method = routes[i].method;
        route->query = slash + 1 + whole;
        if (*route->query == '?')
            route->query++;
        return percent_decode(segment, (size_t)(slash - segment), route->sae, sizeof(route->sae))
                   ? ROUTE_FOUND
                   : ROUTE_BAD;
    }
    return ROUTE_NOT_FOUND;
}

bool route014_allows(enum etsi014_method method, const char *http_method, const char **allow)
{
    for (size_t i = 0; i < ROUTES; i++)
        if (routes[i].method == method)
            *allow = routes[i].allow;
    return strcmp(http_method, "GET") == 0 ||
           (strcmp(http_method, "POST") == 0 && method != ETSI014_GET_STATUS);
}

enum query_result query_find(const char *query, const char *name, char *value, size_t room)
{
    enum query_result result = QUERY_ABSENT;
    size_t name_length = strlen(name);

    while (*query != '\0') {
        size_t length = strcspn(query, "&");

        if (length >= name_length && memcmp(query, name, name_length) == 0 &&
            (length == name_length || query[name_length] == '=')) {
            size_t skip = length == name_length ? length : name_length + 1;

            if (result == QUERY_FOUND)
                return QUERY_REPEATED;
            if (!percent_decode(query + skip, length - skip, value, room))
                return QUERY_BAD;
            result = QUERY_FOUND;
        }
        query += length;
        if (*query == '&')
            query++;
    }
    return result;
}
