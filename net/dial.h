/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The making of a TCP connection, step by step: the addresses of a host in turn, one at a time.
 * For net/connection.c alone.
 */
#ifndef QKD_NET_DIAL_H
#define QKD_NET_DIAL_H

#include "net/resolve.h"

struct dial {
    struct resolved resolved;
    size_t place;             /* of the address that is being tried */
    int fd;                   /* its socket; -1 when there is none. The caller closes it. */
    struct deadline patience; /* how long it may take while nobody waits for it */
};

/* Resolves the name, and begins to connect to the first address that can be begun with. */
bool dial_begin(struct dial *dial, const struct endpoint_address *name,
                const struct deadline *deadline, struct status *status);

/* Goes on until `fd` is connected. With OUTCOME_TIMEOUT it may be advanced again, with any other
 * outcome not. */
bool dial_advance(struct dial *dial, const struct deadline *deadline, struct status *status);

/* Begins anew with the address that was reached. */
bool dial_again(struct dial *dial, struct status *status);

#endif
