/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/sae_rules.h"

#include <stdio.h>

static bool has_one(const struct identity *identity, enum identity_name kind,
                    const struct config_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        if (identity_has(identity, kind, names->items[i]))
            return true;
    return false;
}

static bool has_fingerprint(const struct identity *identity,
                            const struct config_fingerprints *fingerprints)
{
    for (size_t i = 0; i < fingerprints->count; i++)
        if (identity_has_fingerprint(identity, fingerprints->items[i].octets))
            return true;
    return false;
}

/* The name of the setting that fits; NULL if none does. */
static const char *rule_of(const struct config_sae *sae, const struct identity *identity)
{
    if (has_one(identity, IDENTITY_CN, &sae->cns))
        return "cn";
    if (has_one(identity, IDENTITY_SAN_URI, &sae->san_uris))
        return "san_uri";
    if (has_one(identity, IDENTITY_SAN_DNS, &sae->san_dnss))
        return "san_dns";
    return has_fingerprint(identity, &sae->fingerprints) ? "fingerprint" : NULL;
}

const char *sae_rules_find(const struct kme_config *config, const struct identity *identity,
                           char why[static SAE_RULES_WHY_BYTES])
{
    const struct config_sae *found = NULL;
    const char *found_rule = NULL;

    for (size_t i = 0; i < config->saes.count; i++) {
        const struct config_sae *sae = &config->saes.items[i];
        const char *rule = rule_of(sae, identity);

        if (rule == NULL)
            continue;
        if (found != NULL) {
            snprintf(why, SAE_RULES_WHY_BYTES, "which fits '%.100s' by %s and '%.100s' by %s",
                     found->id, found_rule, sae->id, rule);
            return NULL;
        }
        found = sae;
        found_rule = rule;
    }
    snprintf(why, SAE_RULES_WHY_BYTES, "which is no SAE here");
    return found != NULL ? found->id : NULL;
}

bool sae_rules_is_peer(const struct config_link *link, const struct identity *identity)
{
    if (link->peer_fingerprints.count > 0)
        return has_fingerprint(identity, &link->peer_fingerprints);
    return identity_has(identity, IDENTITY_CN, link->peer_kme_id);
}
