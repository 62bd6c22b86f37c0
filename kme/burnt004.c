/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/burnt004.h"

#include <openssl/crypto.h>

struct burnt_id {
    struct key_id id; /* first: see id_table.h */
    int64_t since_ns;
    TAILQ_ENTRY(burnt_id) next;
};

void burnt004_init(struct burnt004 *burnt)
{
    *burnt = (struct burnt004){.table = {.slots = NULL}};
    TAILQ_INIT(&burnt->oldest_first);
}

static void forget(struct burnt004 *burnt, struct burnt_id *one)
{
    id_table_take(&burnt->table, &one->id);
    TAILQ_REMOVE(&burnt->oldest_first, one, next);
    OPENSSL_free(one);
}

void burnt004_free(struct burnt004 *burnt)
{
    while (!TAILQ_EMPTY(&burnt->oldest_first))
        forget(burnt, TAILQ_FIRST(&burnt->oldest_first));
    id_table_free(&burnt->table);
}

void burnt004_on_forgotten(struct burnt004 *burnt,
                           void (*forgotten)(void *arg, const struct key_id *id), void *arg)
{
    burnt->forgotten = forgotten;
    burnt->arg = arg;
}

static void forget_oldest(struct burnt004 *burnt)
{
    struct burnt_id *oldest = TAILQ_FIRST(&burnt->oldest_first);

    if (burnt->forgotten != NULL)
        burnt->forgotten(burnt->arg, &oldest->id);
    forget(burnt, oldest);
}

void burnt004_add(struct burnt004 *burnt, const struct key_id *id, int64_t now_ns)
{
    struct burnt_id *one = id_table_get(&burnt->table, id);

    if (one != NULL)
        forget(burnt, one);
    one = OPENSSL_zalloc(sizeof(*one));
    if (one == NULL)
        return;
    one->id = *id;
    one->since_ns = now_ns;
    if (!id_table_put(&burnt->table, one)) {
        OPENSSL_free(one);
        return;
    }
    TAILQ_INSERT_TAIL(&burnt->oldest_first, one, next);
    if (burnt->table.item_count > BURNT004_MAX)
        forget_oldest(burnt);
}

bool burnt004_has(const struct burnt004 *burnt, const struct key_id *id)
{
    return id_table_get(&burnt->table, id) != NULL;
}

void burnt004_expire(struct burnt004 *burnt, int64_t before_ns)
{
    struct burnt_id *oldest;

    while ((oldest = TAILQ_FIRST(&burnt->oldest_first)) != NULL && oldest->since_ns <= before_ns)
        forget_oldest(burnt);
}
