/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shelf (kme/shelf.h) in memory whose disk the test works by hand: what is queued reaches it
 * when the test says so, and is lost when the process of the test's story dies before.
 */
#ifndef QKD_TESTS_UNIT_FAKE_SHELF_H
#define QKD_TESTS_UNIT_FAKE_SHELF_H

#include <stdlib.h>
#include <string.h>

#include "kme/shelf.h"

struct fake_item {
    enum shelf_kind kind;
    struct key_id id;
    size_t length;
    uint8_t *octets;
};

/* A queued operation; `more`: the next one is of the same transaction. */
struct fake_operation {
    struct fake_item item;
    bool is_put, more;
};

struct shelf {
    struct fake_item *items; /* on the disk, in order of arrival */
    size_t item_count, item_room;
    struct fake_operation *queue;
    size_t queue_count, queue_room;
    uint64_t tickets; /* given out */
    uint64_t settled;
    size_t transaction_start;
    int depth;
    bool refuses;        /* as when its queue is full */
    bool refused_within; /* the transaction */
};

static void fake_remove(struct shelf *shelf, enum shelf_kind kind, const struct key_id *id)
{
    for (size_t i = 0; i < shelf->item_count; i++) {
        struct fake_item *item = &shelf->items[i];

        if (item->kind != kind || !key_id_equal(&item->id, id))
            continue;
        free(item->octets);
        memmove(item, item + 1, (shelf->item_count - i - 1) * sizeof(*item));
        shelf->item_count--;
        return;
    }
}

static void fake_insert(struct shelf *shelf, const struct fake_item *item)
{
    if (shelf->item_count == shelf->item_room) {
        shelf->item_room = shelf->item_room * 2 + 64;
        shelf->items = realloc(shelf->items, shelf->item_room * sizeof(*shelf->items));
    }
    shelf->items[shelf->item_count++] = *item;
}

/* The disk does the next operations, at least `count`, whole transactions. */
static void fake_shelf_work(struct shelf *shelf, size_t count)
{
    size_t done = 0;

    while (done < shelf->queue_count &&
           (done < count || (done > 0 && shelf->queue[done - 1].more))) {
        struct fake_operation *operation = &shelf->queue[done++];

        fake_remove(shelf, operation->item.kind, &operation->item.id);
        if (operation->is_put)
            fake_insert(shelf, &operation->item);
    }
    shelf->queue_count -= done;
    if (shelf->queue_count > 0)
        memmove(shelf->queue, shelf->queue + done, shelf->queue_count * sizeof(*shelf->queue));
    shelf->settled += done;
}

static void fake_forget_from(struct shelf *shelf, size_t from)
{
    while (shelf->queue_count > from)
        free(shelf->queue[--shelf->queue_count].item.octets);
}

/* The process is gone: so is what it had queued. */
static void fake_shelf_crash(struct shelf *shelf)
{
    fake_forget_from(shelf, 0);
    shelf->settled = shelf->tickets = 0;
    shelf->refuses = false;
}

static void fake_shelf_free(struct shelf *shelf)
{
    fake_shelf_crash(shelf);
    for (size_t i = 0; i < shelf->item_count; i++)
        free(shelf->items[i].octets);
    free(shelf->items);
    free(shelf->queue);
    memset(shelf, 0, sizeof(*shelf));
}

static uint64_t fake_queue(struct shelf *shelf, bool is_put, enum shelf_kind kind,
                           const struct key_id *id, const void *octets, size_t length)
{
    struct fake_operation operation = {.is_put = is_put, .item = {kind, *id, length, NULL}};

    if (shelf->refuses) {
        shelf->refused_within = true;
        return 0;
    }
    if (shelf->queue_count == shelf->queue_room) {
        shelf->queue_room = shelf->queue_room * 2 + 64;
        shelf->queue = realloc(shelf->queue, shelf->queue_room * sizeof(*shelf->queue));
    }
    if (is_put) {
        operation.item.octets = malloc(length + 1);
        if (length > 0)
            memcpy(operation.item.octets, octets, length);
    }
    operation.more = shelf->depth > 0;
    shelf->queue[shelf->queue_count++] = operation;
    return ++shelf->tickets;
}

uint64_t shelf_put(struct shelf *shelf, enum shelf_kind kind, const char *peer,
                   const struct key_id *id, const void *octets, size_t length)
{
    (void)peer;
    return fake_queue(shelf, true, kind, id, octets, length);
}

uint64_t shelf_take(struct shelf *shelf, enum shelf_kind kind, const char *peer,
                    const struct key_id *id)
{
    (void)peer;
    return fake_queue(shelf, false, kind, id, NULL, 0);
}

void shelf_begin(struct shelf *shelf)
{
    if (shelf->depth++ > 0)
        return;
    shelf->transaction_start = shelf->queue_count;
    shelf->refused_within = false;
}

uint64_t shelf_end(struct shelf *shelf)
{
    if (--shelf->depth > 0)
        return 0;
    if (shelf->refused_within || shelf->queue_count == shelf->transaction_start) {
        shelf->tickets -= shelf->queue_count - shelf->transaction_start;
        fake_forget_from(shelf, shelf->transaction_start);
        return 0;
    }
    shelf->queue[shelf->queue_count - 1].more = false;
    return shelf->tickets;
}

uint64_t shelf_settled(const struct shelf *shelf)
{
    return shelf->settled;
}

bool shelf_load(struct shelf *shelf, enum shelf_kind kind, const char *peer,
                bool (*each)(void *arg, const char *peer, const struct key_id *id,
                             const uint8_t *octets, size_t length),
                void *arg, struct status *status)
{
    (void)status;
    for (size_t i = 0; i < shelf->item_count; i++) {
        const struct fake_item *item = &shelf->items[i];

        if (item->kind == kind && !each(arg, peer, &item->id, item->octets, item->length))
            return false;
    }
    return true;
}

bool shelf_ok(struct shelf *shelf, struct status *status)
{
    (void)shelf;
    (void)status;
    return true;
}

#endif
