/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets of ETSI GS QKD 014 (clause 5.1, Table 2; queries of clauses 6.2, 6.4). Pure. */
#ifndef QKD_KME_ROUTE014_H
#define QKD_KME_ROUTE014_H

#include <stdbool.h>
#include <stddef.h>

#include "etsi/etsi014.h"

struct route014 {
    enum etsi014_method method;
    char sae[ETSI014_ID_MAX_CHARS + 1]; /* the other SAE, percent-decoded once */
    bool trailing_slash;                /* behind the method, where the standard has none */
    const char *query;                  /* behind the '?', inside the target; "" if none */
};

enum route_result {
    ROUTE_FOUND,
    ROUTE_NOT_FOUND,
    ROUTE_BAD /* the SAE ID is no proper percent-encoding, or too long */
};

enum route_result route014_parse(const char *target, struct route014 *route);

/* Whether the HTTP method may be used; *allow receives the value of an Allow header. */
bool route014_allows(enum etsi014_method method, const char *http_method, const char **allow);

enum query_result { QUERY_ABSENT, QUERY_FOUND, QUERY_REPEATED, QUERY_BAD };

/* The decoded value of one parameter. QUERY_BAD: not a proper encoding, or longer than room - 1. */
enum query_result query_find(const char *query, const char *name, char *value, size_t room);

#endif
