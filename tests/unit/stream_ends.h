/* SPDX-License-Identifier: Apache-2.0 */
/* Key streams of two key servers in one process; frames are carried by hand. */
#ifndef QKD_TESTS_UNIT_STREAM_ENDS_H
#define QKD_TESTS_UNIT_STREAM_ENDS_H

#include <stdlib.h>

#include "kme/config.h"
#include "kme/metrics.h"
#include "kme/stream004.h"
#include "tests/unit/unit.h"

enum { ROOM = 4194304, NO_LIMIT = 1000000 };

struct link {
    struct buf out; /* on its way to the other end */
    uint64_t sequence;
    bool up;
    const struct link_streams *events;
    void *arg;
};

struct end {
    struct kme_config config;
    struct metrics metrics;
    struct env env;
    struct config_link links[1];
    struct link link;
    struct store *store;
    struct peer peer;
    struct catalogue004 catalogue;
    struct streams004 *streams;
};

void link_on_streams(struct link *link, const struct link_streams *streams, void *arg)
{
    link->events = streams;
    link->arg = arg;
}

bool link_is_up(const struct link *link)
{
    return link->up;
}

bool link_has_room(const struct link *link, size_t count)
{
    return link->up && count < NO_LIMIT;
}

bool link_send_stream(struct link *link, struct frame *frame, uint32_t bits)
{
    (void)bits;
    frame->u.stream.sequence = ++link->sequence;
    link_put_stream(&link->out, frame);
    return !link->out.failed;
}

void link_stock(struct link *link, size_t wanted_blocks)
{
    (void)link;
    (void)wanted_blocks;
}

static char name_a[] = "kme-a", name_b[] = "kme-b", alice[] = "alice", bob[] = "bob",
            strict[] = "strict";

static inline void start(struct end *end, char *name, char *peer, char *sae, char **peer_sae)
{
    struct status status = STATUS_INIT;

    memset(end, 0, sizeof(*end));
    end->config.kme_id = name;
    end->links[0].peer_kme_id = peer;
    end->links[0].peer_saes.items = peer_sae;
    end->links[0].peer_saes.count = 1;
    end->config.links.items = end->links;
    end->config.links.count = 1;
    end->config.saes.items = calloc(1, sizeof(struct config_sae));
    end->config.saes.items[0] = (struct config_sae){.id = sae};
    end->config.saes.count = 1;
    end->config.etsi004.compat = strict;
    strcpy(end->config.etsi004.listen.text, "127.0.0.1:1");
    end->config.limits.max_streams = NO_LIMIT;
    end->config.limits.max_streams_per_sae = NO_LIMIT;
    end->config.limits.max_ttl_s = 86400;
    end->config.limits.stream_window_chunks = 16;
    end->env.config = &end->config;
    end->env.metrics = &end->metrics;
    end->link.up = true;
    buf_init(&end->link.out, ROOM);
    end->store = store_new(NULL, "kme-x");
    assert_non_null(end->store);
    end->peer = (struct peer){.kme_id = peer, .store = end->store, .link = &end->link};
    catalogue004_init(&end->catalogue);
    end->streams = streams004_new(&end->env, &end->catalogue, &end->peer, &status);
    assert_non_null(end->streams);
}

static inline void start_both(struct end *a, struct end *b)
{
    static char *behind_a[] = {bob}, *behind_b[] = {alice};

    start(a, name_a, name_b, alice, behind_a);
    start(b, name_b, name_a, bob, behind_b);
}

static inline void stop(struct end *end)
{
    streams004_free(end->streams);
    catalogue004_free(&end->catalogue);
    store_free(end->store);
    buf_free(&end->link.out);
    free(end->config.saes.items);
}

/* The frames of one end, at most so many of them, arrive at the other. */
static inline void carry(struct end *from, struct end *to, int most)
{
    static struct frame frame;
    struct status status = STATUS_INIT;
    size_t used;

    for (; most > 0 && from->link.out.length > 0; most--) {
        assert_int_equal(
            link_parse(from->link.out.data, from->link.out.length, &frame, &used, &status),
            LINK_PARSE_FRAME);
        buf_consume(&from->link.out, used);
        to->link.events->frame(to->link.arg, &frame);
    }
}

static inline void exchange(struct end *a, struct end *b)
{
    while (a->link.out.length > 0 || b->link.out.length > 0) {
        carry(a, b, NO_LIMIT);
        carry(b, a, NO_LIMIT);
    }
}

/* Blocks that both ends have; every octet pair in them is unlike all others. */
static inline void stock(struct end *a, struct end *b, size_t count)
{
    static uint32_t made;

    for (size_t i = 0; i < count; i++) {
        struct segment_head head;
        struct block block;

        made++;
        memset(&block, 0, sizeof(block));
        memcpy(block.id.octets, &made, sizeof(made));
        for (uint32_t at = 0; at < BLOCK_BYTES; at += sizeof(uint32_t)) {
            uint32_t word = made << 3 | at / (uint32_t)sizeof(uint32_t);

            memcpy(block.octets + at, &word, sizeof(word));
        }
        head = (struct segment_head){block.id, made % 2 == 0 ? BLOCK_OURS : BLOCK_PEERS, false};
        assert_true(store_add(a->store, &head, &block, 1, 0));
        head.owner = made % 2 == 0 ? BLOCK_PEERS : BLOCK_OURS;
        assert_true(store_add(b->store, &head, &block, 1, 0));
    }
    a->link.events->stocked(a->link.arg);
    b->link.events->stocked(b->link.arg);
}

static inline struct key_id id_of(uint32_t number)
{
    struct key_id id = {{0}};

    memcpy(id.octets, &number, sizeof(number));
    id.octets[15] = 1;
    return id;
}

/* What OPEN_CONNECT does when the stream is not known at this end. */
static inline struct stream004 *open_first(struct end *end, const struct key_id *id, bool generated,
                                           uint32_t chunk_bytes)
{
    struct frame frame;
    struct stream_opening *open = &frame.u.stream.u.open;
    struct stream004 *stream;

    memset(&frame, 0, sizeof(frame));
    frame.type = FRAME_STREAM_OPEN;
    frame.u.stream.stream_id = *id;
    frame.u.stream.opening = streams004_next_opening(end->streams);
    open->generated = generated;
    open->qos = (struct etsi004_qos){.key_chunk_size_bytes = chunk_bytes,
                                     .max_bps = 1000000000,
                                     .timeout_ms = 60000,
                                     .ttl_s = 3600};
    strcpy(open->initiator, end->config.saes.items[0].id);
    strcpy(open->responder, end->links[0].peer_saes.items[0]);
    strcpy(open->source, "sae://alice");
    strcpy(open->destination, "sae://bob");
    stream = stream004_new(end->streams, &frame.u.stream, true);
    assert_non_null(stream);
    assert_true(link_send_stream(&end->link, &frame, 0));
    if (generated)
        chunk004_request(end->streams, stream, 0);
    return stream;
}

/* What OPEN_CONNECT does with an ID, known at this end or not; false where it would answer 5. */
static inline bool open_with_id(struct end *end, const struct key_id *id, uint32_t chunk_bytes)
{
    struct stream004 *stream = catalogue004_find(&end->catalogue, id);

    if (stream == NULL && burnt004_has(&end->catalogue.burnt, id))
        return false;
    if (stream == NULL) {
        open_first(end, id, false, chunk_bytes);
        return true;
    }
    if (stream->state != STATE004_PEER_ONLY)
        return false;
    stream004_tell_joined(end->streams, stream);
    return stream004_move(end->streams, stream, EVENT004_LOCAL_OPENED, ETSI004_SUCCESS);
}

static inline enum state004 state_at(const struct end *end, const struct key_id *id)
{
    const struct stream004 *stream = catalogue004_find(&end->catalogue, id);

    return stream == NULL ? STATE004_DEAD : stream->state;
}

/* What GET_KEY does, without waiting. NULL when there is nothing to deliver. */
static inline struct secret *get_key(struct end *end, const struct key_id *id, uint32_t index)
{
    struct stream004 *stream = catalogue004_find(&end->catalogue, id);
    struct position *position;

    if (stream == NULL || stream->state == STATE004_LOCAL_ONLY ||
        !state004_is_open_here(stream->state) || !window004_admits(&stream->window, index))
        return NULL;
    if (window004_look(&stream->window, index, &position) != POSITION_HELD &&
        stream->state != STATE004_LOCAL_LEFT)
        chunk004_request(end->streams, stream, index);
    if (window004_look(&stream->window, index, &position) != POSITION_HELD)
        return NULL;
    return window004_deliver(&stream->window, position);
}

static inline void assert_same(struct end *a, struct end *b, const struct key_id *id,
                               uint32_t index)
{
    struct secret *one = get_key(a, id, index), *other = get_key(b, id, index);

    if (one == NULL || other == NULL)
        exchange(a, b);
    one = one != NULL ? one : get_key(a, id, index);
    other = other != NULL ? other : get_key(b, id, index);
    assert_non_null(one);
    assert_non_null(other);
    assert_true(secret_equal(one, other));
    secret_free(one);
    secret_free(other);
}

static inline void close_here(struct end *end, const struct key_id *id)
{
    struct stream004 *stream = catalogue004_find(&end->catalogue, id);

    if (stream != NULL && state004_is_open_here(stream->state))
        stream004_close_here(end->streams, stream);
}

static inline void assert_nothing_left(const struct end *end)
{
    assert_int_equal(end->catalogue.table.item_count, 0);
    assert_true(TAILQ_EMPTY(&end->streams->wishing));
    assert_int_equal(end->streams->min_bps, 0);
    assert_int_equal(end->peer.counters.lost_bits[LOSS_MISMATCH], 0);
}

#endif
