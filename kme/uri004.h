/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source and destination of a key stream, and whom they name. A URI sae://ID names the SAE
 * with that ID. One of another scheme names the SAE whose ID is its host, or, while there is only
 * one SAE behind any link, that one: who may join is never left to whoever comes first. Pure.
 */
#ifndef QKD_KME_URI004_H
#define QKD_KME_URI004_H

#include <stdbool.h>

#include "kme/config.h"

/* Whether it has a scheme and an authority. */
bool uri004_is_good(const char *uri);

/* Whether a caller may call itself so. */
bool uri004_may_be(const char *uri, const char *sae);

/* The SAE behind a peer that the URI names; NULL if it names none, or not clearly one. */
const char *uri004_peer_sae(const struct kme_config *config, const char *uri);

/* Whether two URIs are those two, in either order. */
bool uri004_same_pair(const char *a1, const char *a2, const char *b1, const char *b2);

#endif
