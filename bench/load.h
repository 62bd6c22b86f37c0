/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load on a key server: several kept TLS connections, each with one request under way, and the
 * time from each request to its answer. One thread.
 */
#ifndef QKD_BENCH_LOAD_H
#define QKD_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "base/buf.h"
#include "base/key_id.h"

enum { LOAD_CLIENTS_MAX = 64, LOAD_ANSWER_MAX_BYTES = 1048576, LOAD_SAMPLES_MAX = 1000000 };

struct load_client {
    SSL *tls;
    int fd;
    struct buf in, out;
    int64_t asked_ns;
    bool busy;
    int64_t resume_ns;       /* after a refusal it pauses until then; 0: it does not */
    struct key_id stream_id; /* of ETSI 004 */
    uint32_t index;
};

/* An answer to one request: keys in it, or none where it was refused. */
struct load_answer {
    size_t length; /* in octets; 0: not complete yet */
    size_t keys;
};

struct load {
    /* Appends the next request of a client; false: there is none. */
    bool (*ask)(struct load *load, struct load_client *client);
    /* Looks at the front of the client's input. False: this is no answer. */
    bool (*take)(struct load *load, struct load_client *client, struct load_answer *answer);
    void *arg;
    /* Results, to which load_run adds. */
    size_t answers, refused, keys, sample_count;
    int64_t busy_ns;
    int64_t *samples_ns; /* LOAD_SAMPLES_MAX */
};

/* Connects to a port of this machine. False after a line on standard error. */
bool load_connect(struct load_client *client, SSL_CTX *tls, int port);
void load_disconnect(struct load_client *client);

/* One request and its answer, outside the measurement; the answer is then client->in. */
bool load_exchange(struct load_client *client,
                   bool (*is_whole)(const struct buf *in, size_t *length));

/* Keeps all clients busy, but for a moment after a refusal, until the time is over, or until
 * nothing is left to ask; then waits for the answers under way. False after a line on standard
 * error. */
bool load_run(struct load *load, struct load_client *clients, size_t count, int64_t until_ns);

#endif
