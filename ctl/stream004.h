/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key stream of an ETSI GS QKD 004 key server (clause 6.1) as a subcommand uses it: opened
 * under the URIs of the settings, and closed with an answer.
 */
#ifndef QKD_CTL_STREAM004_H
#define QKD_CTL_STREAM004_H

#include "ctl/kme_options.h"

struct stream004_wish {
    const struct key_id *stream_id; /* to join, or agreed beforehand; NULL = a new stream */
    uint32_t key_chunk_size_bytes;
    uint32_t timeout_ms;
    uint32_t ttl_s;
};

/* OPEN_CONNECT. True when the key server answered, be it with a refusal. */
bool stream004_open(struct kme_session *session, const struct stream004_wish *wish,
                    struct etsi004_open_answer *answer, struct status *status);

/* Whether that answer opened a stream; if not, *status names the key server, why, and what it
 * offers instead. */
bool stream004_is_open(const struct kme_session *session, const struct etsi004_open_answer *answer,
                       struct status *status);

/* CLOSE, within a second of its own: the session's time may be over. */
bool stream004_close(struct kme_session *session, const struct key_id *stream_id,
                     struct status *status);

#endif
