/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Misbehaviour on command in ETSI 014: what happens before a call is handled, and to its answer
 * afterwards. Private to *014.c.
 */
#ifndef QKD_KME_MISBEHAVE014_H
#define QKD_KME_MISBEHAVE014_H

#include "kme/call014.h"

/* Whether the path of this call must end with a slash. */
bool misbehave014_wants_slash(const struct call014 *call);

/* True when the call was answered here, or will go on later by call014_run. */
bool misbehave014_takes(const struct call014 *call);

/* What is about to be told, before it is written. */
void misbehave014_status(const struct call014 *call, struct etsi014_status *value);
void misbehave014_keys(const struct call014 *call, struct etsi014_container *container);
void misbehave014_error(const struct call014 *call, struct etsi014_error *error);

/* Writes the answer; body is what answer->body points to, and may be changed. */
void misbehave014_answer(const struct call014 *call, const struct http_answer *answer,
                         struct buf *body);

#endif
