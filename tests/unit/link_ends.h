/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of a link in one process, their octets carried by hand, with losses. */
#ifndef QKD_TESTS_UNIT_LINK_ENDS_H
#define QKD_TESTS_UNIT_LINK_ENDS_H

#include "kme/config.h"
#include "kme/link_session.h"
#include "kme/metrics.h"
#include "tests/unit/unit.h"

enum { ROOM = 1048576, CAPACITY_BLOCKS = 64 };

struct end {
    struct kme_config config;
    struct metrics metrics;
    struct env env;
    struct config_link link;
    struct peer peer;
    struct store *store;
    struct link_session *session;
    struct buf out;
    int ups, resumes, assigned, streams, stocked;
    uint32_t next_want;
};

static inline void on_up(void *arg, bool resumed)
{
    struct end *end = arg;

    end->ups++;
    end->resumes += resumed;
}

static inline void on_assigned(void *arg, const struct key_id *key_id)
{
    struct end *end = arg;

    (void)key_id;
    end->assigned++;
}

static inline void on_stream(void *arg, const struct frame *frame)
{
    struct end *end = arg;

    assert_int_equal(frame->type, FRAME_STREAM_WANT);
    assert_int_equal(frame->u.stream.u.want.index, end->next_want++);
    end->streams++;
}

static inline void on_stocked(void *arg)
{
    struct end *end = arg;

    end->stocked++;
}

static const struct link_session_events events = {on_up, on_assigned, on_stream, on_stocked};

static inline void start(struct end *end)
{
    struct status status = STATUS_INIT;

    end->store = store_new(NULL, "kme-x");
    assert_non_null(end->store);
    end->peer.store = end->store;
    end->session = link_session_new(&end->env, &end->peer, &events, end, &status);
    assert_non_null(end->session);
}

static inline void stop(struct end *end)
{
    link_session_free(end->session);
    store_free(end->store);
    buf_free(&end->out);
}

static inline void init(struct end *end, char *id, char *peer)
{
    memset(end, 0, sizeof(*end));
    end->config.kme_id = id;
    end->config.links.items = &end->link;
    end->config.links.count = 1;
    end->peer.kme_id = end->link.peer_kme_id = peer;
    end->link.capacity_bits = CAPACITY_BLOCKS * BLOCK_BITS;
    end->env.config = &end->config;
    end->env.metrics = &end->metrics;
    buf_init(&end->out, ROOM);
    start(end);
}

static char name_a[] = "kme-a", name_b[] = "kme-b";

static inline void init_both(struct end *a, struct end *b)
{
    init(a, name_a, name_b);
    init(b, name_b, name_a);
}

static inline bool carry(struct end *from, struct end *to)
{
    struct status status = STATUS_INIT;
    struct frame frame;
    size_t used;
    bool good = true;

    while (good && from->out.length > 0) {
        assert_int_equal(link_parse(from->out.data, from->out.length, &frame, &used, &status),
                         LINK_PARSE_FRAME);
        buf_consume(&from->out, used);
        good = link_session_take(to->session, &frame, &to->out, &status);
    }
    return good;
}

static inline void exchange(struct end *a, struct end *b)
{
    while (a->out.length > 0 || b->out.length > 0) {
        assert_true(carry(a, b));
        assert_true(carry(b, a));
    }
}

static inline void join(struct end *a, struct end *b)
{
    link_session_greet(a->session, &a->out);
    link_session_greet(b->session, &b->out);
    exchange(a, b);
    assert_true(link_session_is_up(a->session) && link_session_is_up(b->session));
}

/* All that was under way is lost. */
static inline void cut(struct end *a, struct end *b)
{
    link_session_disconnect(a->session);
    link_session_disconnect(b->session);
    buf_reset(&a->out);
    buf_reset(&b->out);
}

static inline void make_blocks(struct end *source, size_t count)
{
    static uint32_t made;
    struct block blocks[SEGMENT_BLOCKS_MAX];

    memset(blocks, 0, sizeof(blocks));
    for (size_t i = 0; i < count; i++) {
        made++;
        memcpy(blocks[i].id.octets, &made, sizeof(made));
        memset(blocks[i].octets, (int)made, BLOCK_BYTES);
    }
    assert_true(link_session_send_blocks(source->session, blocks, count, &source->out));
}

static inline void acknowledge(struct end *from, struct end *to)
{
    link_session_put_ack(from->session, &from->out);
    assert_true(carry(from, to));
}

/* `count` blocks that both ends have and know the other to have. */
static inline void share_blocks(struct end *a, struct end *b, size_t count)
{
    make_blocks(a, count);
    assert_true(carry(a, b));
    acknowledge(b, a);
}

static inline struct key_id reserve(struct end *end)
{
    struct assignment assignment;
    struct status status = STATUS_INIT;
    struct secret *key = NULL;

    memset(&assignment, 0, sizeof(assignment));
    assignment.size_bits = 256;
    assignment.lifetime_s = 10;
    strcpy(assignment.initiator, "i");
    names_add(&assignment.responders, "r");
    assert_true(store_reserve(end->store, &assignment, 0, &key, &status));
    assert_true(link_session_assign(end->session, &assignment, &end->out));
    secret_free(key);
    return assignment.key_id;
}

/* A key that was cut elsewhere, under a pad from this link's blocks. */
static inline struct key_id relay(struct end *end)
{
    static struct frame_relay relay;
    struct status status = STATUS_INIT;
    struct secret *pad = NULL;

    memset(&relay, 0, sizeof(relay));
    memset(relay.key.key_id.octets, 0xee, KEY_ID_BYTES);
    relay.key.lifetime_s = 10;
    strcpy(relay.key.initiator, "i");
    names_add(&relay.key.responders, "r");
    relay.pad.size_bytes = 32;
    assert_true(store_cut_ours(end->store, &relay.pad, &pad, &status));
    for (size_t i = 0; i < pad->size_bytes; i++)
        relay.ciphertext[i] = pad->bytes[i] ^ 0x5a;
    secret_free(pad);
    assert_true(link_session_relay(end->session, &relay, &end->out));
    return relay.key.key_id;
}

static inline bool is_ready(struct end *end, const struct key_id *id)
{
    return store_look(end->store, id, "r", "i", 0) == CLAIM_READY;
}

#endif
