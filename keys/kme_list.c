/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/kme_list.h"

#include <stdio.h>
#include <string.h>

static const char blanks[] = " \t";

/* The next part of a list without the blanks around it; *rest goes behind its comma, or becomes
 * NULL. */
static const char *next_part(const char **rest, size_t *length)
{
    const char *part = *rest + strspn(*rest, blanks), *comma = strchr(part, ',');

    *length = comma != NULL ? (size_t)(comma - part) : strlen(part);
    *rest = comma != NULL ? comma + 1 : NULL;
    while (*length > 0 && strchr(blanks, part[*length - 1]) != NULL)
        (*length)--;
    return part;
}

static bool is_same(const struct endpoint_address *a, const struct endpoint_address *b)
{
    return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

static bool check_entry(const struct kme_list *list, size_t place, struct status *status)
{
    const char *url = list->entries[place].url;

    if (list->entries[place].address.api != list->entries[0].address.api)
        return status_fail(status, OUTCOME_CONFIG,
                           "'%s' and '%s' are of two standards; all key servers of a site speak "
                           "the same one",
                           list->entries[0].url, url);
    for (size_t i = 0; i < place; i++)
        if (is_same(&list->entries[i].address, &list->entries[place].address))
            return status_fail(status, OUTCOME_CONFIG, "'%s' is named twice", url);
    return true;
}

static bool take_entry(struct kme_list *list, const char *part, size_t length,
                       struct status *status)
{
    char *url = list->entries[list->count].url;

    if (length == 0)
        return status_fail(status, OUTCOME_CONFIG, "a URL is missing beside a comma");
    if (length > KME_URL_MAX_CHARS)
        return status_fail(status, OUTCOME_CONFIG, "a URL is longer than %d characters",
                           KME_URL_MAX_CHARS);
    snprintf(url, KME_URL_MAX_CHARS + 1, "%.*s", (int)length, part);
    if (!endpoint_address_parse(url, &list->entries[list->count].address, status) ||
        !check_entry(list, list->count, status))
        return false;
    list->count++;
    return true;
}

bool kme_list_parse(const char *value, struct kme_list *list, struct status *status)
{
    list->count = 0;
    while (value != NULL) {
        size_t length;
        const char *part = next_part(&value, &length);

        if (list->count == KME_LIST_MAX)
            return status_fail(status, OUTCOME_CONFIG, "more than %d URLs", KME_LIST_MAX);
        if (!take_entry(list, part, length, status))
            return false;
    }
    return true;
}
