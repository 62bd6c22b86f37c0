/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/refused_ids.h"

#include <string.h>

#include <openssl/crypto.h>

#include "keys/process_owner.h"
#include "keys/record.h"

static const int64_t REFUSED_NS = REFUSED_IDS_S * INT64_C(1000000000);

enum { ID_WORDS = KEY_ID_BYTES / 8, NOTED_AT = ID_WORDS, WORDS };
enum { PLACES_BITS = 10 };

_Static_assert(REFUSED_IDS_PLACES == 1 << PLACES_BITS, "a place is found by its bits");

/* A record, since halves of two IDs would make up a third, which nobody noted and which may be
 * somebody's key: two threads that note different IDs here at once, or one that reads meanwhile. */
struct place {
    struct record record;
    _Atomic uint64_t words[WORDS]; /* the ID, and when it was noted */
};

struct refused_ids {
    struct process_owner owner;
    struct place places[REFUSED_IDS_PLACES];
};

struct refused_ids *refused_ids_new(void)
{
    struct refused_ids *refused = OPENSSL_zalloc(sizeof(*refused));

    if (refused != NULL)
        process_owner_init(&refused->owner);
    return refused;
}

void refused_ids_free(struct refused_ids *refused)
{
    OPENSSL_free(refused);
}

static void reset(void *state)
{
    struct refused_ids *refused = state;

    for (size_t i = 0; i < REFUSED_IDS_PLACES; i++)
        record_forget(&refused->places[i].record);
}

/* Not keyed: who picks IDs for one place makes us forget others of his own making, which costs a
 * look-up each, as any fresh ID does. An ID of somebody else's is not refused by that. */
static struct place *place_of(struct refused_ids *refused, const uint64_t words[static ID_WORDS])
{
    uint64_t mixed = words[0] ^ (words[1] >> 32) ^ (words[1] << 32);

    /* The highest bits of the product depend on all bits. */
    return &refused->places[mixed * UINT64_C(0x9e3779b97f4a7c15) >> (64 - PLACES_BITS)];
}

bool refused_ids_has(struct refused_ids *refused, const struct key_id *id, int64_t now_ns)
{
    uint64_t sought[ID_WORDS], found[WORDS];
    struct place *place;

    if (!process_owner_take(&refused->owner, reset, refused))
        return false;
    memcpy(sought, id->octets, sizeof(sought));
    place = place_of(refused, sought);
    return record_read(&place->record, place->words, found, WORDS) &&
           memcmp(found, sought, sizeof(sought)) == 0 &&
           now_ns - (int64_t)found[NOTED_AT] < REFUSED_NS;
}

void refused_ids_note(struct refused_ids *refused, const struct key_id *id, int64_t now_ns)
{
    uint64_t words[WORDS];
    struct place *place;

    if (!process_owner_take(&refused->owner, reset, refused))
        return;
    memcpy(words, id->octets, KEY_ID_BYTES);
    words[NOTED_AT] = (uint64_t)now_ns;
    place = place_of(refused, words);
    (void)record_write(&place->record, place->words, words, WORDS);
}
