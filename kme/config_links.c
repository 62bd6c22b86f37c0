/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/config_links.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "kme/config_value.h"

static const char one_name[] = "link", list_name[] = "links";

bool config_links_is_name(const char *name)
{
    return strcmp(name, one_name) == 0 || strcmp(name, list_name) == 0;
}

static bool read_link(struct config_link *link, config_setting_t *group, const char *path,
                      struct status *status)
{
    if (config_setting_type(group) != CONFIG_TYPE_GROUP)
        return config_value_fail(group, path, status, "is not a group { … }");
    return config_group_read(link, group, config_link_settings, config_link_setting_count, path,
                             status);
}

/* Whether an SAE that is behind this link is in one place; `config` has the links before it. */
static bool check_sae(const struct kme_config *config, const struct config_link *link,
                      const char *id, const config_setting_t *group, const char *path,
                      struct status *status)
{
    const config_setting_t *list = config_setting_get_member(group, "peer_saes");
    const struct config_link *other = kme_config_link_of_sae(config, id);
    bool seen = false;

    for (size_t i = 0; i < link->peer_saes.count; i++) {
        const config_setting_t *at = config_setting_get_elem(list, (unsigned)i);

        if (strcmp(link->peer_saes.items[i], id) != 0)
            continue;
        if (kme_config_sae(config, id) != NULL)
            return config_value_fail(at, path, status, "= \"%s\" is in saes, too", id);
        if (other != NULL)
            return config_value_fail(at, path, status, "= \"%s\" is behind '%s', too", id,
                                     other->peer_kme_id);
        if (seen)
            return config_value_fail(at, path, status, "= \"%s\" is there twice", id);
        seen = true;
    }
    return true;
}

static bool check_link(const struct kme_config *config, const struct config_link *link,
                       const config_setting_t *group, const char *path, struct status *status)
{
    const config_setting_t *at = config_setting_get_member(group, "peer_kme_id");

    if (strcmp(config->kme_id, link->peer_kme_id) == 0)
        return config_value_fail(at, path, status, "is our own kme_id");
    if (kme_config_link(config, link->peer_kme_id) != NULL)
        return config_value_fail(at, path, status, "= \"%s\" is that of another link",
                                 link->peer_kme_id);
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The IDs of all SAEs, in room for as many as there are; returns how many. */
static size_t collect_ids(const struct kme_config *config, const char **ids)
{
    size_t count = 0;

    for (size_t i = 0; i < config->saes.count; i++)
        ids[count++] = config->saes.items[i].id;
    for (size_t i = 0; i < config->links.count; i++)
        for (size_t j = 0; j < config->links.items[i].peer_saes.count; j++)
            ids[count++] = config->links.items[i].peer_saes.items[j];
    return count;
}

/* *twice is an SAE that is there twice, NULL if none is. Sorted, as 64 links of 1024 SAEs would
 * take seconds otherwise. False when out of memory. */
static bool find_twice(const struct kme_config *config, const char **twice)
{
    enum { IDS_MAX = (CONFIG_LINKS_MAX + 1) * CONFIG_NAMES_MAX };
    const char **ids = OPENSSL_zalloc(IDS_MAX * sizeof(*ids));
    size_t count;

    *twice = NULL;
    if (ids == NULL)
        return false;
    count = collect_ids(config, ids);
    qsort(ids, count, sizeof(*ids), compare_ids);
    for (size_t i = 1; *twice == NULL && i < count; i++)
        if (strcmp(ids[i - 1], ids[i]) == 0)
            *twice = ids[i];
    OPENSSL_free(ids);
    return true;
}

static bool check_all_saes(const struct kme_config *config, const config_setting_t *links,
                           const char *path, struct status *status)
{
    struct kme_config before = *config;
    bool is_list = config_setting_type(links) == CONFIG_TYPE_LIST;
    const char *twice;

    if (!find_twice(config, &twice))
        return config_value_fail(links, path, status, "does not fit in memory");
    for (size_t i = 0; twice != NULL && i < config->links.count; i++) {
        const config_setting_t *group =
            is_list ? config_setting_get_elem(links, (unsigned)i) : links;

        before.links.count = i;
        if (!check_sae(&before, &config->links.items[i], twice, group, path, status))
            return false;
    }
    return true;
}

static void free_link(struct config_link *link)
{
    config_names_free(&link->peer_saes);
    OPENSSL_free(link->peer_fingerprints.items);
    OPENSSL_free(link->peer_kme_id);
    *link = (struct config_link){.peer_kme_id = NULL};
}

/* A link is counted once it is good. */
static bool add_link(struct kme_config *config, config_setting_t *group, const char *path,
                     struct status *status)
{
    struct config_link *link = &config->links.items[config->links.count];

    if (!read_link(link, group, path, status) || !check_link(config, link, group, path, status)) {
        free_link(link);
        return false;
    }
    config->links.count++;
    return true;
}

static bool make_room(struct kme_config *config, size_t count, struct status *status)
{
    config->links.items = OPENSSL_zalloc(count * sizeof(*config->links.items));
    return config->links.items != NULL ||
           status_fail(status, OUTCOME_INTERNAL, "out of memory for the configuration");
}

static bool read_list(struct kme_config *config, config_setting_t *list, const char *path,
                      struct status *status)
{
    int count = config_setting_length(list);

    if (config_setting_type(list) != CONFIG_TYPE_LIST || count < 1 || count > CONFIG_LINKS_MAX)
        return config_value_fail(list, path, status, "is not a list ( … ) of 1 to %d links { … }",
                                 CONFIG_LINKS_MAX);
    if (!make_room(config, (size_t)count, status))
        return false;
    for (int i = 0; i < count; i++)
        if (!add_link(config, config_setting_get_elem(list, (unsigned)i), path, status))
            return false;
    return true;
}

bool config_links_read(struct kme_config *config, config_setting_t *root, const char *path,
                       struct status *status)
{
    config_setting_t *one = config_setting_get_member(root, one_name);
    config_setting_t *list = config_setting_get_member(root, list_name);

    if (one == NULL && list == NULL)
        return status_fail(status, OUTCOME_CONFIG,
                           "%s: link is missing, and there are no links either", path);
    if (one != NULL && list != NULL)
        return config_value_fail(list, path, status, "cannot stand beside link");
    if (list != NULL ? !read_list(config, list, path, status)
                     : !make_room(config, 1, status) || !add_link(config, one, path, status))
        return false;
    return check_all_saes(config, list != NULL ? list : one, path, status);
}

void config_links_free(struct kme_config *config)
{
    for (size_t i = 0; i < config->links.count; i++)
        free_link(&config->links.items[i]);
    OPENSSL_free(config->links.items);
}

static bool keep_link(struct config_link *link, const struct config_link *running,
                      const struct log *log)
{
    for (size_t i = 0; i < config_link_setting_count; i++) {
        const struct setting *setting = &config_link_settings[i];
        bool differed;

        if (!setting->fixed)
            continue;
        if (!config_value_keep(link, running, setting, &differed))
            return false;
        if (differed)
            log_line(log, LOG_LEVEL_WARN,
                     "link to '%s': %s: the new value needs a restart; the old one stays",
                     running->peer_kme_id, setting->name);
    }
    return true;
}

static struct config_link *find_link(const struct kme_config *config, const char *peer_kme_id)
{
    for (size_t i = 0; i < config->links.count; i++)
        if (strcmp(config->links.items[i].peer_kme_id, peer_kme_id) == 0)
            return &config->links.items[i];
    return NULL;
}

static void tell_new(const struct kme_config *config, const struct kme_config *running,
                     const struct log *log)
{
    for (size_t i = 0; i < config->links.count; i++)
        if (find_link(running, config->links.items[i].peer_kme_id) == NULL)
            log_line(log, LOG_LEVEL_WARN, "link to '%s' is new and needs a restart",
                     config->links.items[i].peer_kme_id);
}

static void take_values(struct config_link *kept, struct config_link *fresh)
{
    kept->simulated_rate_bps = fresh->simulated_rate_bps;
    kept->peer_saes = fresh->peer_saes;
    kept->peer_fingerprints = fresh->peer_fingerprints;
    fresh->peer_saes = (struct config_names){NULL, 0};
    fresh->peer_fingerprints = (struct config_fingerprints){NULL, 0};
}

static bool copy_fingerprints(struct config_fingerprints *to,
                              const struct config_fingerprints *from)
{
    if (from->count == 0)
        return true;
    to->items = OPENSSL_memdup(from->items, from->count * sizeof(*from->items));
    to->count = to->items != NULL ? from->count : 0;
    return to->items != NULL;
}

/* A link that the new file has no more stays, and knows its peer as before, but reaches nobody. */
static bool carry_over(struct config_link *kept, const struct kme_config *config,
                       const struct config_link *running, const struct log *log)
{
    struct config_link *fresh = find_link(config, running->peer_kme_id);

    if (fresh == NULL)
        log_line(log, LOG_LEVEL_WARN,
                 "link to '%s' is no longer in the file: it stays until a restart, and no SAE is "
                 "behind it",
                 running->peer_kme_id);
    else if (!keep_link(fresh, running, log))
        return false;
    kept->peer_kme_id = OPENSSL_strdup(running->peer_kme_id);
    kept->listen = running->listen;
    kept->connect = running->connect;
    kept->capacity_bits = running->capacity_bits;
    kept->simulated_rate_bps = running->simulated_rate_bps;
    if (fresh != NULL)
        take_values(kept, fresh);
    else if (!copy_fingerprints(&kept->peer_fingerprints, &running->peer_fingerprints))
        return false;
    return kept->peer_kme_id != NULL;
}

bool config_links_keep_fixed(struct kme_config *config, const struct kme_config *running,
                             const struct log *log)
{
    size_t count = running->links.count;
    struct config_link *kept = OPENSSL_zalloc(count * sizeof(*kept));
    bool done = kept != NULL;

    tell_new(config, running, log);
    for (size_t i = 0; done && i < count; i++)
        done = carry_over(&kept[i], config, &running->links.items[i], log);
    config_links_free(config);
    config->links.items = kept;
    config->links.count = kept != NULL ? count : 0;
    return done;
}

const struct config_link *kme_config_link(const struct kme_config *config, const char *peer_kme_id)
{
    return find_link(config, peer_kme_id);
}

const struct config_link *kme_config_link_of_sae(const struct kme_config *config, const char *id)
{
    for (size_t i = 0; i < config->links.count; i++)
        for (size_t j = 0; j < config->links.items[i].peer_saes.count; j++)
            if (strcmp(config->links.items[i].peer_saes.items[j], id) == 0)
                return &config->links.items[i];
    return NULL;
}
