/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/quantum_sim.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#define NS_PER_S INT64_C(1000000000)

size_t quantum_sim_due_blocks(struct quantum_sim *sim, int64_t now_ns, int64_t rate_bps,
                              size_t max_blocks)
{
    const uint64_t block_credit = (uint64_t)BLOCK_BITS * (uint64_t)NS_PER_S;
    uint64_t most = (uint64_t)rate_bps * (uint64_t)NS_PER_S / 10 + block_credit;
    int64_t passed_ns = sim->last_ns == 0 ? 0 : now_ns - sim->last_ns;
    size_t due;

    if (passed_ns > NS_PER_S)
        passed_ns = NS_PER_S;
    sim->last_ns = now_ns;
    sim->credit += (uint64_t)rate_bps * (uint64_t)passed_ns;
    if (sim->credit > most)
        sim->credit = most;
    due = (size_t)(sim->credit / block_credit);
    if (due > max_blocks)
        due = max_blocks;
    sim->credit -= due * block_credit;
    return due;
}

bool quantum_sim_make(OSSL_LIB_CTX *libctx, struct block *blocks, size_t count)
{
    uint8_t ids[QUANTUM_SIM_BLOCKS_MAX][KEY_ID_BYTES], octets[QUANTUM_SIM_BLOCKS_MAX][BLOCK_BYTES];
    bool done = count <= QUANTUM_SIM_BLOCKS_MAX &&
                RAND_bytes_ex(libctx, ids[0], count * KEY_ID_BYTES, 0) == 1 &&
                RAND_priv_bytes_ex(libctx, octets[0], count * BLOCK_BYTES, 0) == 1;

    for (size_t i = 0; done && i < count; i++) {
        ids[i][6] = (uint8_t)((ids[i][6] & 0x0f) | 0x40);
        ids[i][8] = (uint8_t)((ids[i][8] & 0x3f) | 0x80);
        memcpy(blocks[i].id.octets, ids[i], KEY_ID_BYTES);
        memcpy(blocks[i].octets, octets[i], BLOCK_BYTES);
    }
    OPENSSL_cleanse(octets, sizeof(octets));
    return done;
}
