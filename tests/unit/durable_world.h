/* SPDX-License-Identifier: Apache-2.0 */
/* Two key servers with stores, sessions and shelves, and the checks of what leaves them. */
#ifndef QKD_TESTS_UNIT_DURABLE_WORLD_H
#define QKD_TESTS_UNIT_DURABLE_WORLD_H

#include "kme/config.h"
#include "kme/link_session.h"
#include "kme/metrics.h"
#include "kme/peer.h"
#include "tests/unit/fake_shelf.h"
#include "tests/unit/unit.h"

enum {
    SEEDS = 1500,
    STEPS = 400,
    CAPACITY_BLOCKS = 96,
    WINDOW_BLOCKS = 12,
    BLOCKS_MAX = 65536,
    KEYS_MAX = 16384,
    FRAME_BLOCKS = 8,
    ROOM = 4194304,
    ENDS = 2
};

#define S INT64_C(1000000000)

/* What a block became: of which key, and where in it; 0 while unused. */
struct use {
    uint32_t key, position;
};

struct made_key {
    struct key_id id;
    int responder; /* the end that holds it */
};

struct end {
    int number;
    struct kme_config config;
    struct metrics metrics;
    struct env env;
    struct config_link link;
    struct peer peer;
    struct shelf shelf;
    bool is_durable;
    struct store *store;
    struct link_session *session;
    struct buf out;
    struct use uses[BLOCKS_MAX];
};

static struct {
    struct end ends[ENDS];
    struct made_key keys[KEYS_MAX];
    uint32_t key_count, block_count, chunk_count;
    int64_t now_ns;
    uint32_t random;
    bool connected;
    unsigned seed, step;
    uint64_t delivered[2], crashes;
} world;

static inline uint32_t roll(uint32_t below)
{
    world.random ^= world.random << 13;
    world.random ^= world.random >> 17;
    world.random ^= world.random << 5;
    return world.random % below;
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("seed %u step %u: does not hold: %s", world.seed, world.step, #condition);    \
    } while (0)

static inline uint32_t number_of(const struct key_id *id)
{
    uint32_t number;

    memcpy(&number, id->octets, sizeof(number));
    return number;
}

/* Octets leave the key server: every block of them for the first time at this end, and as at the
 * other one. A block is its number, over and over. */
static inline void deliver(struct end *end, uint32_t key, const struct secret *secret)
{
    struct end *other = &world.ends[1 - end->number];

    for (uint32_t at = 0; at < secret->size_bytes; at += BLOCK_BYTES) {
        struct use use = {key, at + 1};
        uint32_t block;

        memcpy(&block, secret->bytes + at, sizeof(block));
        CHECK(block > 0 && block <= world.block_count);
        CHECK(end->uses[block].key == 0);
        CHECK(other->uses[block].key == 0 ||
              (other->uses[block].key == use.key && other->uses[block].position == use.position));
        end->uses[block] = use;
    }
}

static inline void on_up(void *arg, bool resumed)
{
    (void)arg;
    (void)resumed;
}

static inline void on_assigned(void *arg, const struct key_id *key_id)
{
    (void)arg;
    (void)key_id;
}

/* Chunks are delivered as soon as they can be; the stream's ID is the number of the chunk. */
static inline void on_stream(void *arg, const struct frame *frame)
{
    struct end *end = arg;
    struct status status = STATUS_INIT;
    struct secret *key;

    if (frame->type != FRAME_STREAM_CHUNK)
        return;
    if (!store_cut_peers(end->store, &frame->u.stream.u.chunk.cut, &key, &status)) {
        fail_msg("seed %u step %u: %s", world.seed, world.step, status.text);
    }
    deliver(end, number_of(&frame->u.stream.stream_id), key);
    secret_free(key);
}

static inline void on_stocked(void *arg)
{
    (void)arg;
}

static const struct link_session_events events = {on_up, on_assigned, on_stream, on_stocked};

static inline void start(struct end *end)
{
    struct status status = STATUS_INIT;
    struct store_loaded loaded;

    end->env.shelf = end->is_durable ? &end->shelf : NULL;
    end->config.store.window_bits = end->is_durable ? WINDOW_BLOCKS * BLOCK_BITS : 0;
    end->store = store_new(end->env.shelf, end->peer.kme_id);
    assert_non_null(end->store);
    assert_true(store_load(end->store, world.now_ns, &loaded, &status));
    end->peer.store = end->store;
    end->session = link_session_new(&end->env, &end->peer, &events, end, &status);
    assert_non_null(end->session);
}

static inline void stop(struct end *end)
{
    link_session_free(end->session);
    store_free(end->store);
}

static inline void init(struct end *end, int number, bool is_durable)
{
    static char names[ENDS][6] = {"kme-a", "kme-b"};

    memset(end, 0, sizeof(*end));
    end->number = number;
    end->is_durable = is_durable;
    end->config.kme_id = names[number];
    end->config.links.items = &end->link;
    end->config.links.count = 1;
    end->peer.kme_id = end->link.peer_kme_id = names[1 - number];
    end->link.capacity_bits = CAPACITY_BLOCKS * BLOCK_BITS;
    end->env.config = &end->config;
    end->env.metrics = &end->metrics;
    buf_init(&end->out, ROOM);
    start(end);
}

/* At most so many frames. */
static inline void carry(struct end *from, size_t most)
{
    struct end *to = &world.ends[1 - from->number];
    struct status status = STATUS_INIT;
    static struct frame frame;
    size_t used;

    for (size_t i = 0; i < most && from->out.length > 0; i++) {
        CHECK(link_parse(from->out.data, from->out.length, &frame, &used, &status) ==
              LINK_PARSE_FRAME);
        buf_consume(&from->out, used);
        if (!link_session_take(to->session, &frame, &to->out, &status))
            fail_msg("seed %u step %u: %s", world.seed, world.step, status.text);
    }
}

static inline void disconnect(void)
{
    for (int i = 0; i < ENDS; i++) {
        link_session_disconnect(world.ends[i].session);
        buf_reset(&world.ends[i].out);
    }
    world.connected = false;
}

static inline void connect_both(void)
{
    disconnect();
    for (int i = 0; i < ENDS; i++)
        link_session_greet(world.ends[i].session, &world.ends[i].out);
    world.connected = true;
}

static inline void work_disk(struct end *end, size_t operations)
{
    fake_shelf_work(&end->shelf, operations);
    link_session_settled(end->session, end->shelf.settled, &end->out);
}

#endif
