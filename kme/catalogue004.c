/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/catalogue004.h"

#include <string.h>

#include <openssl/crypto.h>

void catalogue004_init(struct catalogue004 *catalogue)
{
    *catalogue = (struct catalogue004){.table = {.slots = NULL}};
    LIST_INIT(&catalogue->openers);
    burnt004_init(&catalogue->burnt);
}

void catalogue004_free(struct catalogue004 *catalogue)
{
    struct opener004 *opener;

    while ((opener = LIST_FIRST(&catalogue->openers)) != NULL) {
        LIST_REMOVE(opener, next);
        OPENSSL_free(opener);
    }
    burnt004_free(&catalogue->burnt);
    id_table_free(&catalogue->table);
}

struct stream004 *catalogue004_find(const struct catalogue004 *catalogue, const struct key_id *id)
{
    return id_table_get(&catalogue->table, id);
}

struct opener004 *catalogue004_opener(struct catalogue004 *catalogue, const char *sae)
{
    struct opener004 *opener;
    size_t size = strlen(sae) + 1;

    LIST_FOREACH(opener, &catalogue->openers, next)
    if (strcmp(opener->sae, sae) == 0)
        return opener;
    opener = OPENSSL_zalloc(sizeof(*opener) + size);
    if (opener == NULL)
        return NULL;
    memcpy(opener->sae, sae, size);
    LIST_INSERT_HEAD(&catalogue->openers, opener, next);
    return opener;
}

bool catalogue004_has_room(struct catalogue004 *catalogue, const struct kme_config *config,
                           const char *sae)
{
    const struct opener004 *opener = sae == NULL ? NULL : catalogue004_opener(catalogue, sae);

    if (catalogue->table.item_count >= (size_t)config->limits.max_streams)
        return false;
    return sae == NULL ||
           (opener != NULL && opener->count < (size_t)config->limits.max_streams_per_sae);
}
