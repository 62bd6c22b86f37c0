/* SPDX-License-Identifier: Apache-2.0 */
/* The value of the setting `kme`: one URL, or several key servers of one site, in their order. */
#ifndef QKD_KEYS_KME_LIST_H
#define QKD_KEYS_KME_LIST_H

#include <stddef.h>

#include "base/status.h"
#include "net/endpoint.h"

enum { KME_LIST_MAX = 4, KME_URL_MAX_CHARS = 300 };

struct kme_list {
    size_t count; /* at least 1 after kme_list_parse */
    struct {
        char url[KME_URL_MAX_CHARS + 1]; /* as given */
        struct endpoint_address address;
    } entries[KME_LIST_MAX];
};

/* Reads URLs that are separated by commas, with or without blanks around them. All of one
 * standard, none twice. On false *status says what is wrong (OUTCOME_CONFIG). */
bool kme_list_parse(const char *value, struct kme_list *list, struct status *status);

#endif
