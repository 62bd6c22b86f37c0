/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where peer key servers connect: one listening address for all links that have it. Whoever comes
 * in is a stranger, bounded in number and time, until the certificate says which link it is for.
 */
#ifndef QKD_KME_LINK_DOOR_H
#define QKD_KME_LINK_DOOR_H

#include "base/status.h"
#include "kme/address.h"
#include "kme/env.h"

struct peers;
struct link_door;

/* Borrows env and peers. NULL, and *status, when it cannot listen there. */
struct link_door *link_door_new(const struct env *env, const struct peers *peers,
                                const struct address *address, struct status *status);

/* Drops the strangers. NULL is allowed. */
void link_door_free(struct link_door *door);

const char *link_door_address(const struct link_door *door);

#endif
