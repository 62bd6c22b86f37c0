/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kme/stream004.h: the two ends of key streams in one process. The link between them is here:
 * frames are encoded, kept, and arrive when the test says so. So every order of events can be had.
 */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "kme/config.h"
#include "kme/metrics.h"
#include "kme/stream004.h"

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
            strict[] = "strict", qubip[] = "qubip";

static void start(struct end *end, char *name, char *peer, char *sae, char **peer_sae)
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

static void start_both(struct end *a, struct end *b)
{
    static char *behind_a[] = {bob}, *behind_b[] = {alice};

    start(a, name_a, name_b, alice, behind_a);
    start(b, name_b, name_a, bob, behind_b);
}

static void stop(struct end *end)
{
    streams004_free(end->streams);
    catalogue004_free(&end->catalogue);
    store_free(end->store);
    buf_free(&end->link.out);
    free(end->config.saes.items);
}

/* The frames of one end, at most so many of them, arrive at the other. */
static void carry(struct end *from, struct end *to, int most)
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

static void exchange(struct end *a, struct end *b)
{
    while (a->link.out.length > 0 || b->link.out.length > 0) {
        carry(a, b, NO_LIMIT);
        carry(b, a, NO_LIMIT);
    }
}

/* Blocks that both ends have; every octet pair in them is unlike all others. */
static void stock(struct end *a, struct end *b, size_t count)
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

static struct key_id id_of(uint32_t number)
{
    struct key_id id = {{0}};

    memcpy(id.octets, &number, sizeof(number));
    id.octets[15] = 1;
    return id;
}

/* What OPEN_CONNECT does when the stream is not known at this end. */
static struct stream004 *open_first(struct end *end, const struct key_id *id, bool generated,
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
static bool open_with_id(struct end *end, const struct key_id *id, uint32_t chunk_bytes)
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

static enum state004 state_at(const struct end *end, const struct key_id *id)
{
    const struct stream004 *stream = catalogue004_find(&end->catalogue, id);

    return stream == NULL ? STATE004_DEAD : stream->state;
}

/* What GET_KEY does, without waiting. NULL when there is nothing to deliver. */
static struct secret *get_key(struct end *end, const struct key_id *id, uint32_t index)
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

static void assert_same(struct end *a, struct end *b, const struct key_id *id, uint32_t index)
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

static void close_here(struct end *end, const struct key_id *id)
{
    struct stream004 *stream = catalogue004_find(&end->catalogue, id);

    if (stream != NULL && state004_is_open_here(stream->state))
        stream004_close_here(end->streams, stream);
}

static void assert_nothing_left(const struct end *end)
{
    assert_int_equal(end->catalogue.table.item_count, 0);
    assert_true(TAILQ_EMPTY(&end->streams->wishing));
    assert_int_equal(end->streams->min_bps, 0);
    assert_int_equal(end->peer.counters.lost_bits[LOSS_MISMATCH], 0);
}

static void test_the_first_chunk_travels_with_the_opening(void **state)
{
    struct end a, b;
    struct key_id id = id_of(1);
    struct secret *key;

    (void)state;
    start_both(&a, &b);
    stock(&a, &b, 8);
    open_first(&a, &id, true, 32);
    carry(&a, &b, NO_LIMIT);
    assert_int_equal(state_at(&b, &id), STATE004_PEER_ONLY);
    assert_true(open_with_id(&b, &id, 32));
    key = get_key(&b, &id, 0);
    assert_non_null(key); /* and nothing has gone back to the first end */
    secret_free(key);
    assert_null(get_key(&a, &id, 0));
    carry(&b, &a, NO_LIMIT);
    assert_int_equal(state_at(&a, &id), STATE004_BOTH);
    key = get_key(&a, &id, 0);
    assert_non_null(key);
    secret_free(key);
    stop(&a);
    stop(&b);
}

static void test_the_end_that_does_not_cut_asks_for_what_it_lacks(void **state)
{
    struct end a, b;
    struct key_id id = id_of(1);

    (void)state;
    start_both(&a, &b);
    stock(&a, &b, 32);
    open_first(&a, &id, true, 40);
    exchange(&a, &b);
    assert_true(open_with_id(&b, &id, 32));
    exchange(&a, &b);
    for (uint32_t index = 0; index < 8; index++)
        assert_same(&a, &b, &id, 7 - index);
    assert_int_equal(a.peer.counters.lost_bits[LOSS_SURPLUS], 8 * (512 - 320));
    stop(&a);
    stop(&b);
}

static void test_a_shortage_is_made_good_in_turns(void **state)
{
    struct end a, b;
    struct key_id ids[2] = {id_of(1), id_of(2)};
    struct secret *key;

    (void)state;
    start_both(&a, &b);
    for (int i = 0; i < 2; i++) {
        open_first(&a, &ids[i], true, 32);
        exchange(&a, &b);
        assert_true(open_with_id(&b, &ids[i], 32));
        exchange(&a, &b);
        for (uint32_t index = 0; index < 3; index++)
            assert_null(get_key(&a, &ids[i], index));
    }
    stock(&a, &b, 4); /* two are a's */
    for (int i = 0; i < 2; i++) {
        key = get_key(&a, &ids[i], 0);
        assert_non_null(key);
        secret_free(key);
        assert_null(get_key(&a, &ids[i], 1));
    }
    stock(&a, &b, 8);
    exchange(&a, &b);
    for (int i = 0; i < 2; i++)
        for (uint32_t index = 1; index < 3; index++)
            assert_same(&a, &b, &ids[i], index);
    stop(&a);
    stop(&b);
}

/* Both at once, in every order in which the news can arrive. */
static void test_two_first_openings_of_one_id_become_one_stream(void **state)
{
    (void)state;
    for (int b_first = 0; b_first < 2; b_first++) {
        for (int generated = 0; generated < 2; generated++) {
            struct end a, b;
            struct key_id id = id_of(1);

            start_both(&a, &b);
            stock(&a, &b, 8);
            open_first(&a, &id, false, 32);
            open_first(&b, &id, generated == 1, 64);
            if (b_first)
                carry(&b, &a, 1);
            else
                carry(&a, &b, 1);
            exchange(&a, &b);
            assert_int_equal(state_at(&a, &id), STATE004_BOTH);
            assert_int_equal(state_at(&b, &id), STATE004_BOTH);
            assert_int_equal(catalogue004_find(&a.catalogue, &id)->ours, !generated);
            assert_int_equal(catalogue004_find(&b.catalogue, &id)->ours, generated);
            assert_same(&a, &b, &id, 0);
            assert_same(&a, &b, &id, 5);
            close_here(&a, &id);
            close_here(&b, &id);
            exchange(&a, &b);
            assert_nothing_left(&a);
            assert_nothing_left(&b);
            stop(&a);
            stop(&b);
        }
    }
}

static void test_a_late_word_about_a_closed_opening_does_not_end_its_successor(void **state)
{
    struct end a, b;
    struct key_id id = id_of(1);

    (void)state;
    start_both(&a, &b);
    a.config.etsi004.compat = b.config.etsi004.compat = qubip;
    stock(&a, &b, 8);
    open_first(&a, &id, true, 32);
    exchange(&a, &b);
    assert_true(open_with_id(&b, &id, 32));
    exchange(&a, &b);
    close_here(&a, &id);
    carry(&a, &b, NO_LIMIT);
    close_here(&b, &id); /* its news is still on the way */
    carry(&b, &a, NO_LIMIT);
    open_first(&a, &id, false, 32);
    close_here(&a, &id);
    open_first(&a, &id, false, 32);
    carry(&a, &b, 1); /* the second opening; the end of it and the third are on the way */
    stream004_tell_joined(b.streams, catalogue004_find(&b.catalogue, &id));
    stream004_move(b.streams, catalogue004_find(&b.catalogue, &id), EVENT004_LOCAL_OPENED,
                   ETSI004_SUCCESS);
    carry(&b, &a, NO_LIMIT);
    assert_int_equal(state_at(&a, &id), STATE004_LOCAL_ONLY); /* not joined by the old word */
    stop(&a);
    stop(&b);
}

static void test_a_peer_that_started_again_ends_all_streams(void **state)
{
    struct end a, b;
    struct key_id ids[3] = {id_of(1), id_of(2), id_of(3)};

    (void)state;
    start_both(&a, &b);
    stock(&a, &b, 16);
    for (int i = 0; i < 3; i++)
        open_first(i == 2 ? &b : &a, &ids[i], true, 32);
    exchange(&a, &b);
    assert_true(open_with_id(&b, &ids[0], 32));
    exchange(&a, &b);
    a.link.events->up(a.link.arg, true);
    assert_int_equal(a.catalogue.table.item_count, 3);
    a.link.events->up(a.link.arg, false);
    assert_nothing_left(&a);
    assert_int_equal(a.metrics.streams_closed, 3);
    stop(&a);
    stop(&b);
}

static uint32_t random_state;

static uint32_t any(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

enum { RANDOM_STREAMS = 12, RANDOM_POSITIONS = 24 };

struct record {
    uint8_t octets[64];
    size_t size_bytes; /* 0: not delivered at this end */
};

/* What was delivered at each end is the same for a position, and no four octets are in two. */
static void check_records(struct record records[2][RANDOM_STREAMS][RANDOM_POSITIONS], size_t *both)
{
    static uint8_t seen[1 << 22];

    memset(seen, 0, sizeof(seen));
    for (int stream = 0; stream < RANDOM_STREAMS; stream++) {
        for (int index = 0; index < RANDOM_POSITIONS; index++) {
            struct record *one = &records[0][stream][index], *other = &records[1][stream][index];

            if (one->size_bytes > 0 && other->size_bytes > 0) {
                assert_int_equal(one->size_bytes, other->size_bytes);
                assert_memory_equal(one->octets, other->octets, one->size_bytes);
                ++*both;
            }
            one = one->size_bytes > 0 ? one : other;
            for (size_t at = 0; at + 4 <= one->size_bytes; at += 4) {
                uint32_t word;

                memcpy(&word, one->octets + at, sizeof(word));
                assert_true(word < sizeof(seen) && !seen[word]);
                seen[word] = 1;
            }
        }
    }
}

static void read_any(struct end *end, struct record records[RANDOM_STREAMS][RANDOM_POSITIONS],
                     const struct key_id *ids)
{
    uint32_t stream = any(RANDOM_STREAMS), index = any(RANDOM_POSITIONS);
    struct secret *key = get_key(end, &ids[stream], index);

    if (key == NULL)
        return;
    assert_int_equal(records[stream][index].size_bytes, 0); /* never twice */
    assert_true(key->size_bytes <= sizeof(records[stream][index].octets));
    memcpy(records[stream][index].octets, key->bytes, key->size_bytes);
    records[stream][index].size_bytes = key->size_bytes;
    secret_free(key);
}

static void step(struct end ends[2], struct record records[2][RANDOM_STREAMS][RANDOM_POSITIONS],
                 const struct key_id *ids)
{
    uint32_t side = any(2), stream = any(RANDOM_STREAMS), what = any(100);
    struct end *end = &ends[side], *other = &ends[1 - side];

    if (what < 40)
        read_any(end, records[side], ids);
    else if (what < 80)
        carry(end, other, (int)any(4));
    else if (what < 85)
        stock(&ends[0], &ends[1], any(8));
    else if (what < 99)
        open_with_id(end, &ids[stream], stream % 2 == 0 ? 32 : 64);
    else if (any(4) == 0)
        close_here(end, &ids[stream]);
}

/* One window is narrower than the positions, so that some fall out of it, too. */
static void test_no_order_of_events_makes_two_positions_share_octets(void **state)
{
    static struct record records[2][RANDOM_STREAMS][RANDOM_POSITIONS];
    size_t both = 0;

    (void)state;
    for (uint32_t seed = 1; seed <= 300; seed++) {
        struct end ends[2];
        struct key_id ids[RANDOM_STREAMS];

        random_state = seed;
        memset(records, 0, sizeof(records));
        start_both(&ends[0], &ends[1]);
        for (uint32_t i = 0; i < RANDOM_STREAMS; i++)
            ids[i] = id_of(i);
        for (int i = 0; i < 3000; i++)
            step(ends, records, ids);
        exchange(&ends[0], &ends[1]);
        check_records(records, &both);
        for (int i = 0; i < 2; i++)
            for (uint32_t stream = 0; stream < RANDOM_STREAMS; stream++)
                close_here(&ends[i], &ids[stream]);
        exchange(&ends[0], &ends[1]);
        for (int i = 0; i < 2; i++) {
            assert_nothing_left(&ends[i]);
            stop(&ends[i]);
        }
    }
    assert_true(both > 10000); /* else nothing was compared */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_chunk_travels_with_the_opening),
        cmocka_unit_test(test_the_end_that_does_not_cut_asks_for_what_it_lacks),
        cmocka_unit_test(test_a_shortage_is_made_good_in_turns),
        cmocka_unit_test(test_two_first_openings_of_one_id_become_one_stream),
        cmocka_unit_test(test_a_late_word_about_a_closed_opening_does_not_end_its_successor),
        cmocka_unit_test(test_a_peer_that_started_again_ends_all_streams),
        cmocka_unit_test(test_no_order_of_events_makes_two_positions_share_octets),
    };

    return RUN_TESTS(tests);
}
