/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two stores, two sessions and two shelves against everything that may happen to them: frames that
 * arrive late or never, disks that are slow or full, restarts and crashes of either end, at any
 * moment. A seed decides. After each step:
 *
 *   1. no block was used twice at one end,
 *   2. what the two ends made of a block is the same position of the same key,
 *   3. nothing that was used, or that is cut already, is on the shelf, where a crash would find it,
 *   4. no end has refused what the other one did.
 *
 * And when all is well again, both ends have the same blocks, and keys flow.
 */
#include "tests/unit/durable_world.h"

static void do_carry(struct end *end)
{
    carry(end, 1 + roll(6));
}

static void do_acknowledge(struct end *end)
{
    if (link_session_is_talking(end->session))
        link_session_put_ack(end->session, &end->out);
}

static void do_disk(struct end *end)
{
    work_disk(end, 1 + roll(8));
}

static void do_make(struct end *end)
{
    struct end *source = &world.ends[0];
    struct block blocks[FRAME_BLOCKS];
    size_t count = 1 + roll(FRAME_BLOCKS);

    (void)end;
    if (!link_session_is_up(source->session) || link_session_room_blocks(source->session) < count ||
        world.block_count + count >= BLOCKS_MAX)
        return;
    memset(blocks, 0, sizeof(blocks));
    for (size_t i = 0; i < count; i++) {
        uint32_t number = ++world.block_count;

        memcpy(blocks[i].id.octets, &number, sizeof(number));
        for (size_t at = 0; at < BLOCK_BYTES; at += sizeof(number))
            memcpy(blocks[i].octets + at, &number, sizeof(number));
    }
    assert_true(link_session_send_blocks(source->session, blocks, count, &source->out));
}

static bool try_reserve(struct end *end, uint32_t blocks)
{
    static struct assignment assignment;
    struct status status = STATUS_INIT;
    struct secret *key = NULL;

    if (!link_session_is_up(end->session) || store_usable(end->store, BLOCK_OURS) < blocks ||
        world.key_count >= KEYS_MAX)
        return false;
    memset(&assignment, 0, sizeof(assignment));
    assignment.size_bits = blocks * BLOCK_BITS;
    assignment.lifetime_s = 1000;
    strcpy(assignment.initiator, "i");
    assert_true(names_add(&assignment.responders, "r"));
    assert_true(store_reserve(end->store, &assignment, world.now_ns, &key, &status));
    assert_true(link_session_assign(end->session, &assignment, &end->out));
    deliver(end, number_of(&assignment.key_id), key);
    secret_free(key);
    world.keys[world.key_count++] = (struct made_key){assignment.key_id, 1 - end->number};
    world.delivered[0]++;
    return true;
}

static void do_reserve(struct end *end)
{
    try_reserve(end, 1 + roll(3));
}

static void do_chunk(struct end *end)
{
    static struct frame frame;
    struct stream_chunk *chunk = &frame.u.stream.u.chunk;
    struct status status = STATUS_INIT;
    uint32_t number = BLOCKS_MAX + ++world.chunk_count;
    struct secret *key = NULL;

    chunk->cut.size_bytes = (1 + roll(2)) * BLOCK_BYTES;
    if (!link_session_is_up(end->session) ||
        !store_cut_ours(end->store, &chunk->cut, &key, &status))
        return;
    frame.type = FRAME_STREAM_CHUNK;
    memset(&frame.u.stream.stream_id, 0, sizeof(frame.u.stream.stream_id));
    memcpy(frame.u.stream.stream_id.octets, &number, sizeof(number));
    deliver(end, number, key);
    assert_true(link_session_send_stream(end->session, &frame, 0, &end->out));
    secret_free(key);
}

/* Something about a stream, which may be said while the link is down. */
static void do_word(struct end *end)
{
    static struct frame frame;

    frame.type = FRAME_STREAM_WANT;
    assert_true(link_session_send_stream(end->session, &frame, 0, &end->out));
}

/* False while the key is not there to be had, now or ever. */
static bool try_claim(const struct made_key *made)
{
    struct end *end = &world.ends[made->responder];
    struct secret *key;

    switch (store_look(end->store, &made->id, "r", "i", world.now_ns)) {
    case CLAIM_OPENING:
        store_wake(end->store, &made->id);
        return false;
    case CLAIM_READY:
        key = store_claim(end->store, &made->id, "r");
        CHECK(key != NULL);
        deliver(end, number_of(&made->id), key);
        secret_free(key);
        world.delivered[1]++;
        return true;
    default:
        return false;
    }
}

/* One of the newest keys, or any. */
static void do_claim(struct end *end)
{
    uint32_t back = roll(2) == 0 ? 8 : KEYS_MAX;

    (void)end;
    if (world.key_count == 0)
        return;
    if (back > world.key_count)
        back = world.key_count;
    try_claim(&world.keys[world.key_count - 1 - roll(back)]);
}

static void do_time(struct end *end)
{
    world.now_ns += (int64_t)roll(3) * S;
    store_expire(end->store, world.now_ns);
    store_tick(end->store, world.now_ns);
}

static void do_stock(struct end *end)
{
    link_session_stock(end->session, roll(2 * WINDOW_BLOCKS), &end->out);
}

static void do_cut(struct end *end)
{
    (void)end;
    if (roll(4) == 0)
        disconnect();
}

static void do_connect(struct end *end)
{
    (void)end;
    if (!world.connected)
        connect_both();
}

/* kill -9, at any moment of what the disk was doing. */
static void do_crash(struct end *end)
{
    if (roll(3) != 0)
        return;
    world.crashes++;
    disconnect();
    stop(end);
    if (roll(2) == 0)
        fake_shelf_work(&end->shelf, roll(16));
    fake_shelf_crash(&end->shelf);
    start(end);
}

static void do_restart(struct end *end)
{
    if (roll(3) != 0)
        return;
    disconnect();
    end->shelf.refuses = false;
    store_rest_all(end->store, world.now_ns);
    fake_shelf_work(&end->shelf, SIZE_MAX);
    stop(end);
    fake_shelf_crash(&end->shelf);
    start(end);
}

/* The queue of the shelf is full for some time. */
static void do_refuse(struct end *end)
{
    end->shelf.refuses = roll(3) == 0;
}

/* No octets of the item were used here. They are the number of their block, over and over; so a
 * block that was used must not be there eight times in a row, wherever it is. */
static void check_item(const struct end *end, const struct fake_item *item)
{
    for (size_t at = 0; at + BLOCK_BYTES <= item->length; at++) {
        uint32_t block;

        memcpy(&block, item->octets + at, sizeof(block));
        if (block == 0 || block > world.block_count || end->uses[block].key == 0)
            continue;
        CHECK(memcmp(item->octets + at, item->octets + at + sizeof(block),
                     BLOCK_BYTES - sizeof(block)) != 0);
    }
}

/* The one rule, seen from the disk. */
static void check_disk(const struct end *end)
{
    for (size_t i = 0; i < end->shelf.item_count; i++)
        if (end->shelf.items[i].kind == SHELF_SEGMENT || end->shelf.items[i].kind == SHELF_KEY)
            check_item(end, &end->shelf.items[i]);
}

static const struct {
    unsigned weight;
    void (*act)(struct end *end);
} acts[] = {
    {30, do_carry},  {10, do_acknowledge}, {14, do_disk},   {14, do_make},  {12, do_reserve},
    {4, do_chunk},   {14, do_claim},       {3, do_time},    {3, do_stock},  {2, do_cut},
    {4, do_connect}, {1, do_crash},        {1, do_restart}, {2, do_refuse}, {2, do_word},
};

static void step(void)
{
    uint32_t total = 0, at;
    size_t act = 0;

    for (size_t i = 0; i < COUNT_OF(acts); i++)
        total += acts[i].weight;
    for (at = roll(total); at >= acts[act].weight; act++)
        at -= acts[act].weight;
    acts[act].act(&world.ends[roll(ENDS)]);
    for (int i = 0; i < ENDS; i++) {
        check_disk(&world.ends[i]);
        CHECK(world.ends[i].peer.counters.lost_bits[LOSS_MISMATCH] == 0);
    }
}

/* Everything that is under way arrives. */
static void calm_down(void)
{
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < ENDS; i++) {
            carry(&world.ends[i], SIZE_MAX);
            work_disk(&world.ends[i], SIZE_MAX);
            do_acknowledge(&world.ends[i]);
        }
    }
}

static void mark(void *arg, const struct key_id *block_id)
{
    uint8_t *seen = arg;

    seen[number_of(block_id)]++;
}

static void check_same_blocks(void)
{
    static uint8_t seen[ENDS][BLOCKS_MAX];

    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < ENDS; i++)
        store_inventory(world.ends[i].store, mark, seen[i]);
    CHECK(memcmp(seen[0], seen[1], sizeof(seen[0])) == 0);
}

/* All that rests can be opened and used, and each key is claimed once. */
static void check_flow(struct end *end)
{
    size_t available = store_available(end->store, BLOCK_OURS);

    link_session_stock(end->session, available, &end->out);
    calm_down();
    CHECK(store_usable(end->store, BLOCK_OURS) == available);
    for (size_t i = 0; i < available; i++) {
        CHECK(try_reserve(end, 1));
        calm_down();
        CHECK(try_claim(&world.keys[world.key_count - 1]));
        CHECK(!try_claim(&world.keys[world.key_count - 1]));
    }
}

static void check_recovery(void)
{
    for (int i = 0; i < ENDS; i++)
        world.ends[i].shelf.refuses = false;
    connect_both();
    calm_down();
    for (int i = 0; i < ENDS; i++)
        CHECK(link_session_is_up(world.ends[i].session));
    check_same_blocks();
    for (int i = 0; i < 12; i++) {
        do_make(NULL);
        calm_down();
    }
    CHECK(store_available(world.ends[0].store, BLOCK_OURS) > 0);
    CHECK(store_available(world.ends[1].store, BLOCK_OURS) > 0);
    check_same_blocks();
    for (int i = 0; i < ENDS; i++)
        check_flow(&world.ends[i]);
}

static void run(unsigned seed)
{
    memset(&world.keys, 0, sizeof(world.keys));
    world.key_count = world.block_count = world.chunk_count = 0;
    world.now_ns = 1000 * S;
    world.random = seed * 2654435761u + 1;
    world.connected = false;
    world.seed = seed;
    for (int i = 0; i < ENDS; i++)
        init(&world.ends[i], i, seed % 8 < 5 || (int)(seed % 2) == i);
    for (world.step = 0; world.step < STEPS; world.step++)
        step();
    check_recovery();
    for (int i = 0; i < ENDS; i++) {
        stop(&world.ends[i]);
        fake_shelf_free(&world.ends[i].shelf);
        buf_free(&world.ends[i].out);
    }
}

static void test_nothing_is_used_twice_or_differs_whatever_happens(void **state)
{
    const char *only = getenv("QKD_MODEL_SEED");

    (void)state;
    if (only != NULL) {
        run((unsigned)strtoul(only, NULL, 10));
        return;
    }
    for (unsigned seed = 1; seed <= SEEDS; seed++)
        run(seed);
    print_message("%d seeds, %llu crashes, %llu keys reserved, %llu claimed\n", SEEDS,
                  (unsigned long long)world.crashes, (unsigned long long)world.delivered[0],
                  (unsigned long long)world.delivered[1]);
    assert_true(world.crashes > SEEDS / 2);
    assert_true(world.delivered[1] > world.delivered[0] / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_used_twice_or_differs_whatever_happens),
    };

    return RUN_TESTS(tests);
}
