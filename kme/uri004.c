/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/uri004.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char sae_scheme[] = "sae://";
static const char separator[] = "://";

/* RFC 3986 clause 3.1. */
static size_t scheme_chars(const char *uri)
{
    size_t length = 0;

    if (!isalpha((unsigned char)uri[0]))
        return 0;
    while (isalnum((unsigned char)uri[length]) ||
           (uri[length] != '\0' && strchr("+-.", uri[length])))
        length++;
    return strncmp(uri + length, separator, strlen(separator)) == 0 ? length : 0;
}

bool uri004_is_good(const char *uri)
{
    size_t scheme = scheme_chars(uri);

    return scheme > 0 && strcspn(uri + scheme + strlen(separator), "/?#") > 0;
}

/* The ID in sae://ID, octet for octet; NULL for another scheme. */
static const char *sae_of(const char *uri)
{
    size_t length = strlen(sae_scheme);

    return strncasecmp(uri, sae_scheme, length) == 0 ? uri + length : NULL;
}

bool uri004_may_be(const char *uri, const char *sae)
{
    const char *named = sae_of(uri);

    return named == NULL || strcmp(named, sae) == 0;
}

/* Whether the host of the authority, without user and port, is this. */
static bool host_is(const char *uri, const char *sae)
{
    const char *authority = uri + scheme_chars(uri) + strlen(separator);
    const char *end = authority + strcspn(authority, "/?#");
    const char *at = memchr(authority, '@', (size_t)(end - authority)), *port;

    if (at != NULL)
        authority = at + 1;
    port = memchr(authority, ':', (size_t)(end - authority));
    if (port != NULL)
        end = port;
    return strlen(sae) == (size_t)(end - authority) &&
           memcmp(sae, authority, (size_t)(end - authority)) == 0;
}

static const char *find_named(const struct config_names *saes, const char *uri)
{
    const char *named = sae_of(uri);

    for (size_t i = 0; i < saes->count; i++)
        if (named != NULL ? strcmp(named, saes->items[i]) == 0 : host_is(uri, saes->items[i]))
            return saes->items[i];
    return NULL;
}

const char *uri004_peer_sae(const struct kme_config *config, const char *uri)
{
    const char *only = NULL, *found = NULL;
    size_t count = 0;

    for (size_t i = 0; i < config->links.count && found == NULL; i++) {
        const struct config_names *saes = &config->links.items[i].peer_saes;

        found = find_named(saes, uri);
        count += saes->count;
        only = saes->count > 0 ? saes->items[0] : only;
    }
    return found == NULL && sae_of(uri) == NULL && count == 1 ? only : found;
}

bool uri004_same_pair(const char *a1, const char *a2, const char *b1, const char *b2)
{
    return (strcmp(a1, b1) == 0 && strcmp(a2, b2) == 0) ||
           (strcmp(a1, b2) == 0 && strcmp(a2, b1) == 0);
}
