/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Misbehaviour on command in ETSI 004: what happens before a call is handled, and to its answer
 * afterwards. Private to *004.c.
 */
#ifndef QKD_KME_MISBEHAVE004_H
#define QKD_KME_MISBEHAVE004_H

#include "kme/call004.h"

/* True when the call was made to wait; its frame stays in the input until then. Once per call. */
bool misbehave004_delays(struct call004 *call);

/* True when the call was answered here. */
bool misbehave004_refuses(struct call004 *call);

/* Write an answer, changed where a rule says so. */
void misbehave004_put_open(struct call004 *call, const struct etsi004_open_answer *answer);
void misbehave004_put_key(struct call004 *call, const struct etsi004_key_answer *answer);

/* True when the connection was cut in the middle of what was written since `begin`. */
bool misbehave004_drops(struct call004 *call, size_t begin);

#endif
