/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated quantum channel of a link: when it has made how much. */
#include "kme/link_parts.h"

#include <openssl/crypto.h>

#include "base/deadline.h"

enum {
    TICK_MAX_BLOCKS = 4096,
    OUTPUT_BUSY_BYTES = 262144 /* then the channel waits */
};

static bool send_blocks(struct link *link, size_t count)
{
    struct block blocks[QUANTUM_SIM_BLOCKS_MAX];
    bool done = quantum_sim_make(link->env->libctx, blocks, count) &&
                link_session_send_blocks(link->session, blocks, count,
                                         stream_output(link->current->stream));

    OPENSSL_cleanse(blocks, sizeof(blocks));
    return done;
}

void link_quantum_tick(evutil_socket_t ignored, short what, void *arg)
{
    struct link *link = arg;
    size_t room = link_session_room_blocks(link->session), due;

    (void)ignored;
    (void)what;
    link_after_ms(link->quantum_tick, LINK_QUANTUM_TICK_MS);
    if (stream_backlog_bytes(link->current->stream) > OUTPUT_BUSY_BYTES)
        room = 0;
    due = quantum_sim_due_blocks(&link->sim, monotonic_ns(),
                                 peer_config(link->env, link->peer)->simulated_rate_bps,
                                 room < TICK_MAX_BLOCKS ? room : TICK_MAX_BLOCKS);
    while (due > 0) {
        size_t count = due < QUANTUM_SIM_BLOCKS_MAX ? due : QUANTUM_SIM_BLOCKS_MAX;

        if (!send_blocks(link, count)) {
            link_fail(link->current,
                      "no memory or no random numbers for the simulated quantum channel");
            return;
        }
        due -= count;
    }
    stream_flush(link->current->stream);
}
