/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/record004.h"

#include <string.h>

#include <openssl/rand.h>

#include "base/deadline.h"
#include "kme/shelf.h"

/* IDs are of no peer: one is one stream's, whichever link it is on. */
static const char no_peer[] = "";

static struct shelf *shelf_of(const struct record004 *record)
{
    return record->env != NULL ? record->env->shelf : NULL;
}

static bool burn(void *arg, const char *peer, const struct key_id *id, const uint8_t *octets,
                 size_t length)
{
    (void)peer;
    (void)octets;
    (void)length;
    burnt004_add(arg, id, monotonic_ns());
    return true;
}

bool record004_load(struct record004 *record, const struct env *env, struct burnt004 *burnt,
                    struct status *status)
{
    record->env = env;
    return env->shelf == NULL ||
           shelf_load(env->shelf, SHELF_STREAM_ID, no_peer, burn, burnt, status);
}

static void on_forgotten(void *arg, const struct key_id *id)
{
    shelf_take(arg, SHELF_STREAM_ID, no_peer, id);
}

static bool make_random(const struct env *env, struct key_id *id)
{
    if (RAND_bytes_ex(env->libctx, id->octets, KEY_ID_BYTES, 0) != 1)
        return false;
    id->octets[6] = (uint8_t)((id->octets[6] & 0x0f) | 0x40);
    id->octets[8] = (uint8_t)((id->octets[8] & 0x3f) | 0x80);
    return true;
}

static bool make_recorded(struct record004 *record, const struct env *env, struct recorded_id *made)
{
    return make_random(env, &made->id) && record004_put(record, &made->id, &made->ticket);
}

static void refill(struct record004 *record)
{
    while (record->stock_count < RECORD004_STOCK &&
           make_recorded(record, record->env, &record->stock[record->stock_count]))
        record->stock_count++;
}

void record004_start(struct record004 *record, struct burnt004 *burnt)
{
    if (shelf_of(record) == NULL)
        return;
    burnt004_on_forgotten(burnt, on_forgotten, shelf_of(record));
    refill(record);
}

void record004_end(struct record004 *record)
{
    record004_put_waiting(record);
    for (size_t i = 0; i < record->stock_count; i++)
        on_forgotten(shelf_of(record), &record->stock[i].id);
    record->stock_count = 0;
}

bool record004_make(struct record004 *record, const struct env *env, struct recorded_id *made)
{
    if (record->stock_count == 0)
        return make_recorded(record, env, made);
    *made = record->stock[0];
    record->stock_count--;
    memmove(&record->stock[0], &record->stock[1], record->stock_count * sizeof(record->stock[0]));
    if (record->stock_count < RECORD004_STOCK_LOW)
        refill(record);
    return true;
}

bool record004_put(struct record004 *record, const struct key_id *id, uint64_t *ticket)
{
    struct shelf *shelf = shelf_of(record);

    *ticket = shelf != NULL ? shelf_put(shelf, SHELF_STREAM_ID, no_peer, id, NULL, 0) : 0;
    return shelf == NULL || *ticket != 0;
}

void record004_put_waiting(struct record004 *record)
{
    struct shelf *shelf = shelf_of(record);

    if (record->later_count == 0)
        return;
    shelf_begin(shelf);
    for (size_t i = 0; i < record->later_count; i++)
        shelf_put(shelf, SHELF_STREAM_ID, no_peer, &record->later[i], NULL, 0);
    if (shelf_end(shelf) != 0)
        record->later_count = 0;
}

bool record004_put_later(struct record004 *record, const struct key_id *id)
{
    struct shelf *shelf = shelf_of(record);
    struct status status = STATUS_INIT;

    if (shelf == NULL)
        return true;
    if (record->later_count == RECORD004_LATER_MAX)
        record004_put_waiting(record);
    if (record->later_count == RECORD004_LATER_MAX || !shelf_ok(shelf, &status))
        return false;
    record->later[record->later_count++] = *id;
    return true;
}

bool record004_is_settled(const struct record004 *record, uint64_t ticket)
{
    return ticket == 0 || ticket <= shelf_settled(shelf_of(record));
}
