/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/config_saes.h"

#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "kme/config_value.h"

static bool share_name(const struct config_names *a, const struct config_names *b,
                       int (*compare)(const char *, const char *))
{
    for (size_t i = 0; i < a->count; i++)
        for (size_t j = 0; j < b->count; j++)
            if (compare(a->items[i], b->items[j]) == 0)
                return true;
    return false;
}

bool config_fingerprints_meet(const struct config_fingerprints *a,
                              const struct config_fingerprints *b)
{
    for (size_t i = 0; i < a->count; i++)
        for (size_t j = 0; j < b->count; j++)
            if (memcmp(&a->items[i], &b->items[j], sizeof(a->items[i])) == 0)
                return true;
    return false;
}

/* What two SAEs must not have in common; NULL if there is nothing. */
static const char *shared(const struct config_sae *a, const struct config_sae *b)
{
    if (strcmp(a->id, b->id) == 0)
        return "an id";
    if (share_name(&a->cns, &b->cns, strcmp))
        return "a cn";
    if (share_name(&a->san_uris, &b->san_uris, strcmp))
        return "a san_uri";
    if (share_name(&a->san_dnss, &b->san_dnss, strcasecmp))
        return "a san_dns";
    return config_fingerprints_meet(&a->fingerprints, &b->fingerprints) ? "a fingerprint" : NULL;
}

/* Without a rule an SAE is known by its ID. */
static bool add_rule(struct config_sae *sae)
{
    if (sae->cns.count + sae->san_uris.count + sae->san_dnss.count + sae->fingerprints.count > 0)
        return true;
    sae->cns.items = OPENSSL_zalloc(sizeof(*sae->cns.items));
    if (sae->cns.items == NULL)
        return false;
    sae->cns.count = 1;
    sae->cns.items[0] = OPENSSL_strdup(sae->id);
    return sae->cns.items[0] != NULL;
}

static bool read_sae(struct config_saes *saes, size_t index, config_setting_t *group,
                     const char *path, struct status *status)
{
    struct config_sae *sae = &saes->items[index];

    if (config_setting_type(group) != CONFIG_TYPE_GROUP)
        return config_value_fail(group, path, status, "is not of the form { id = \"…\"; }");
    if (!config_group_read(sae, group, config_sae_settings, config_sae_setting_count, path, status))
        return false;
    if (!add_rule(sae))
        return config_value_fail(group, path, status, "does not fit in memory");
    for (size_t i = 0; i < index; i++) {
        const char *what = shared(&saes->items[i], sae);

        if (what != NULL)
            return config_value_fail(group, path, status, "has %s that is there twice", what);
    }
    return true;
}

bool config_saes_read(struct config_saes *saes, const config_setting_t *list, const char *path,
                      struct status *status)
{
    size_t count;

    if (!config_value_is_list(list, "SAEs", CONFIG_NAMES_MAX, path, status))
        return false;
    count = (size_t)config_setting_length(list);
    saes->items = OPENSSL_zalloc((count + 1) * sizeof(*saes->items));
    if (saes->items == NULL)
        return config_value_fail(list, path, status, "does not fit in memory");
    saes->count = count;
    for (size_t i = 0; i < count; i++)
        if (!read_sae(saes, i, config_setting_get_elem(list, (unsigned)i), path, status))
            return false;
    return true;
}

void config_saes_free(struct config_saes *saes)
{
    for (size_t i = 0; i < saes->count; i++) {
        struct config_sae *sae = &saes->items[i];

        OPENSSL_free(sae->id);
        config_names_free(&sae->cns);
        config_names_free(&sae->san_uris);
        config_names_free(&sae->san_dnss);
        OPENSSL_free(sae->fingerprints.items);
    }
    OPENSSL_free(saes->items);
}
