/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether another provider offers TLS a group under a number of ours. libssl looks groups up by
 * number and takes the first, so that a handshake could run on the other group, without QKD and
 * without a word.
 */
#ifndef QKD_PROVIDER_CLASH_H
#define QKD_PROVIDER_CLASH_H

#include <stdbool.h>

#include <openssl/types.h>

enum { CLASH_NAME_BYTES = 64 };

struct clash {
    char provider[CLASH_NAME_BYTES];
    char group[CLASH_NAME_BYTES];
};

/* Looks at every active provider but the one of this name. True, and *clash filled in, when one
 * has the number. */
bool clash_find(OSSL_LIB_CTX *library, const char *own_name, unsigned code_point,
                struct clash *clash);

#endif
