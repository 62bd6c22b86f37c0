/* SPDX-License-Identifier: Apache-2.0 */
/* Quality of service of a key stream (ETSI GS QKD 004 clause 6.1, Table 2): what is granted. Pure.
 */
#ifndef QKD_KME_QOS004_H
#define QKD_KME_QOS004_H

#include "etsi/etsi004.h"
#include "kme/config.h"

/* Fills in what we grant of what was asked for. False when key chunk size, Min_bps or the media
 * type cannot be met: *granted is then a counter-proposal that would be granted unchanged. The
 * other fields are wishes: they are lowered to our limits without a word. `free_bps` is what
 * other streams have left of the link's rate. */
bool qos004_grant(const struct kme_config *config, const struct etsi004_qos *asked,
                  int64_t free_bps, struct etsi004_qos *granted);

#endif
