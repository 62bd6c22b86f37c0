/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets that are bound while the process may bind them, and taken later. */
#ifndef QKD_KME_SOCKETS_H
#define QKD_KME_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "kme/address.h"
#include "kme/config.h"

enum { SOCKETS_MAX = 3 + CONFIG_LINKS_MAX };

struct sockets {
    struct {
        char address[ADDRESS_TEXT_BYTES];
        int fd;
    } items[SOCKETS_MAX];
    size_t count;
};

/* Binds all addresses at which `config` listens. *sockets must be zeroed. */
bool sockets_bind(struct sockets *sockets, const struct kme_config *config, struct status *status);

/* Gives one away: non-blocking, close-on-exec; -1 if there is none for this address. */
int sockets_take(struct sockets *sockets, const struct address *address);

/* Binds one. -1 and *status (OUTCOME_CONFIG) naming the address on failure. */
int sockets_bind_one(const struct address *address, struct status *status);

/* Closes what was not taken. */
void sockets_close(struct sockets *sockets);

#endif
