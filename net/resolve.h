/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host names to addresses within a deadline (hosts file, then DNS; localhost is known).
 * getaddrinfo(3) has no deadline, and a handshake must not wait for a name server that does not
 * answer.
 */
#ifndef QKD_NET_RESOLVE_H
#define QKD_NET_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/deadline.h"
#include "base/status.h"
#include "net/endpoint.h"

enum { RESOLVE_MAX_ADDRESSES = 8 };

struct resolved {
    size_t count;
    struct {
        struct sockaddr_storage address;
        socklen_t length;
    } entries[RESOLVE_MAX_ADDRESSES];
};

/* At least one address, in the order to be tried; what exceeds RESOLVE_MAX_ADDRESSES is
 * dropped. */
bool resolve(const struct endpoint_address *name, struct resolved *resolved,
             const struct deadline *deadline, struct status *status);

#endif
