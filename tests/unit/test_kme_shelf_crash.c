/* SPDX-License-Identifier: Apache-2.0 */
/* kme/shelf.h after kill -9 and on a full disk: what settled is there, what was taken and settled
 * is not, and a transaction is there whole or not at all. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/shelf_world.h"

enum { ITEMS = 64, PAIRED = 1000 /* number of the twin that each item is put with */ };

/* What the process that will be killed tells of each step, before it does it or after it settled.
 */
struct note {
    enum { NOTE_PUT, NOTE_TAKE, NOTE_SETTLED } what;
    uint32_t number;
    uint64_t ticket;
};

struct teller {
    int fd;
};

static void tell(int fd, struct note note)
{
    if (write(fd, &note, sizeof(note)) != sizeof(note))
        _exit(2);
}

static void on_settled(void *arg, uint64_t ticket)
{
    const struct teller *teller = arg;

    tell(teller->fd, (struct note){.what = NOTE_SETTLED, .ticket = ticket});
}

static const struct shelf_events telling = {on_settled, NULL};

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*seed >> 33);
}

/* Puts and takes pairs of items until it is killed. */
static void run_until_killed(struct world *world, int fd, uint64_t seed, uint64_t tickets)
{
    struct teller teller = {fd};
    struct status status = STATUS_INIT;

    world->shelf = shelf_open(&world->env, world->path, world->key_file, &status);
    if (world->shelf == NULL || !shelf_subscribe(world->shelf, &telling, &teller))
        _exit(3);
    for (;;) {
        uint32_t number = next_random(&seed) % ITEMS, take = next_random(&seed) % 2;
        uint64_t ticket = 2 * ++tickets;

        tell(fd, (struct note){take ? NOTE_TAKE : NOTE_PUT, number, ticket});
        shelf_begin(world->shelf);
        if (take) {
            world_take(world, number);
            world_take(world, number + PAIRED);
        } else {
            world_put(world, number, 8 + 8 * (next_random(&seed) % 1200));
            world_put(world, number + PAIRED, 80);
        }
        if (shelf_end(world->shelf) == 0)
            _exit(4);
        if (next_random(&seed) % 8 == 0)
            event_base_loop(world->env.base, EVLOOP_ONCE);
        else
            event_base_loop(world->env.base, EVLOOP_NONBLOCK);
    }
}

/* What is known of one pair: what the last operation was that settled. */
struct known {
    bool settled_is_put;
};

struct pending {
    uint32_t number;
    bool put;
    uint64_t ticket;
};

struct model {
    struct known items[ITEMS];
    struct pending queue[65536];
    size_t first, count;
    uint64_t operations, settlements;
};

static void learn(struct model *model, const struct note *note)
{
    struct pending *queue = model->queue;

    if (note->what != NOTE_SETTLED) {
        assert_true(model->count < COUNT_OF(model->queue));
        queue[model->count++] =
            (struct pending){note->number, note->what == NOTE_PUT, note->ticket};
        model->operations++;
        return;
    }
    model->settlements++;
    while (model->first < model->count && queue[model->first].ticket <= note->ticket) {
        model->items[queue[model->first].number].settled_is_put = queue[model->first].put;
        model->first++;
    }
}

/* A pair must be there, or must not, or may: when something was under way. */
static void check(const struct model *model, const struct found *found)
{
    for (uint32_t number = 0; number < ITEMS; number++) {
        bool there = found_has(found, number);
        bool may_be = model->items[number].settled_is_put;
        bool may_be_not = !may_be;

        for (size_t i = model->first; i < model->count; i++) {
            may_be |= model->queue[i].number == number && model->queue[i].put;
            may_be_not |= model->queue[i].number == number && !model->queue[i].put;
        }
        assert_int_equal(there, found_has(found, number + PAIRED));
        assert_true(there ? may_be : may_be_not);
    }
}

/* Once known, all of what was found is settled. */
static void adopt(struct model *model, const struct found *found)
{
    for (uint32_t number = 0; number < ITEMS; number++)
        model->items[number].settled_is_put = found_has(found, number);
    model->first = model->count = 0;
}

static void crash_once(struct world *world, struct model *model, uint64_t seed)
{
    struct found found;
    struct note note;
    int ends[2];
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1048576) > 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        run_until_killed(world, ends[1], seed, 0);
    }
    close(ends[1]);
    if (seed % 4 != 0 && read(ends[0], &note, sizeof(note)) == sizeof(note)) /* else at its start */
        learn(model, &note);
    usleep((useconds_t)(1000 + seed * 7919 % 30000));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    while (read(ends[0], &note, sizeof(note)) == sizeof(note))
        learn(model, &note);
    close(ends[0]);
    world_open(world, world->key_file);
    world_load(world, &found);
    check(model, &found);
    adopt(model, &found);
    world_close(world);
}

static void test_kill_9_at_any_moment(void **state)
{
    enum { ROUNDS = 40 };
    static struct model model;
    struct world *world = *state;

    for (uint64_t round = 1; round <= ROUNDS; round++)
        crash_once(world, &model, round);
    assert_true(model.operations > ROUNDS && model.settlements > 0);
}

static void on_failed(void *arg, const struct status *status)
{
    struct status *seen = arg;

    assert_int_equal(seen->outcome, OUTCOME_OK);
    *seen = *status;
}

static const struct shelf_events failing = {NULL, on_failed};

/* As on a full disk: the files of this process may not grow any more. */
static void fill(struct world *world, int fd)
{
    struct status status = STATUS_INIT, seen = STATUS_INIT;
    struct rlimit small = {300000, 300000};
    uint32_t settled = 0;
    uint64_t ticket;

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &small) != 0)
        _exit(2);
    world_open(world, world->key_file);
    if (!shelf_subscribe(world->shelf, &failing, &seen))
        _exit(3);
    for (uint32_t i = 0; seen.outcome == OUTCOME_OK; i++) {
        ticket = world_put(world, i, 3000);
        while (seen.outcome == OUTCOME_OK && shelf_settled(world->shelf) < ticket)
            event_base_loop(world->env.base, EVLOOP_ONCE);
        if (shelf_settled(world->shelf) >= ticket)
            settled = i + 1;
    }
    if (shelf_ok(world->shelf, &status) || world_put(world, 9999, 8) != 0 ||
        world_take(world, 0) != 0)
        _exit(4);
    if (strstr(status.text, world->path) == NULL || strcmp(status.text, seen.text) != 0)
        _exit(5);
    if (shelf_close(world->shelf, &seen))
        _exit(6);
    (void)!write(fd, &settled, sizeof(settled));
    _exit(0);
}

static void test_a_full_disk_loses_nothing_that_settled(void **state)
{
    struct world *world = *state;
    struct found found;
    uint32_t settled = 0;
    int ends[2], code;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        fill(world, ends[1]);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    assert_int_equal(read(ends[0], &settled, sizeof(settled)), sizeof(settled));
    close(ends[0]);
    close(ends[1]);
    assert_true(settled > 10 && settled < 100);
    world_open(world, world->key_file);
    world_load(world, &found);
    assert_true(found.count >= settled);
    for (uint32_t i = 0; i < settled; i++)
        assert_true(found_has(&found, i));
    assert_false(found_has(&found, 9999));
    world_settle(world, world_put(world, 5000, 3000));
    world_close(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_kill_9_at_any_moment),
        TEST(test_a_full_disk_loses_nothing_that_settled),
    };

    return RUN_TESTS(tests);
}
