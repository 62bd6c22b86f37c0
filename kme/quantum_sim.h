/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SIMULATED quantum channel: random blocks at a given rate, made at one end and sent to the
 * other over the link. It stands in for QKD devices and gives none of their security.
 */
#ifndef QKD_KME_QUANTUM_SIM_H
#define QKD_KME_QUANTUM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "kme/store.h"

/* How much the channel may give by now. All zeros starts it. */
struct quantum_sim {
    int64_t last_ns;
    uint64_t credit; /* in bits times 10^9: no fraction is lost */
};

/* Whole blocks that have become due at this rate since the last call, at most max_blocks; the
 * rest of the credit stays, up to a tenth of a second's worth. */
size_t quantum_sim_due_blocks(struct quantum_sim *sim, int64_t now_ns, int64_t rate_bps,
                              size_t max_blocks);

enum { QUANTUM_SIM_BLOCKS_MAX = 128 /* that one call makes */ };

/* Fills in random octets and random IDs (UUID version 4). False when there is no randomness. */
bool quantum_sim_make(OSSL_LIB_CTX *libctx, struct block *blocks, size_t count);

#endif
