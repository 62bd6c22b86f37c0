/* SPDX-License-Identifier: Apache-2.0 */
/* misbehave = ( { kind = "…"; … }, … ) of the configuration file. */
#include <openssl/crypto.h>

#include "kme/config_value.h"
#include "kme/misbehave.h"

static bool read_member(struct misbehave_rule *rule, const config_setting_t *member,
                        struct status *status)
{
    const char *name = config_setting_name(member);

    switch (config_setting_type(member)) {
    case CONFIG_TYPE_STRING:
        return misbehave_rule_text(rule, name, config_setting_get_string(member), status);
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return misbehave_rule_number(rule, name, config_setting_get_int64(member), status);
    default:
        return status_fail(status, OUTCOME_INPUT, "'%.40s' is neither a text nor a number", name);
    }
}

static bool read_rule(struct misbehave_rule *rule, const config_setting_t *group, const char *path,
                      struct status *status)
{
    struct status why = STATUS_INIT;

    misbehave_rule_init(rule);
    if (config_setting_type(group) != CONFIG_TYPE_GROUP)
        return config_value_fail(group, path, status, "is not of the form { kind = \"delay\"; }");
    for (int i = 0; i < config_setting_length(group); i++)
        if (!read_member(rule, config_setting_get_elem(group, (unsigned)i), &why))
            return config_value_fail(group, path, status, "is refused: %s", why.text);
    return misbehave_rule_finish(rule, &why) ||
           config_value_fail(group, path, status, "is refused: %s", why.text);
}

bool config_misbehave_read(struct config_misbehave *to, const config_setting_t *list,
                           const char *path, struct status *status)
{
    size_t count = (size_t)config_setting_length(list);

    if (config_setting_type(list) != CONFIG_TYPE_LIST)
        return config_value_fail(list, path, status, "is not a list of rules");
    if (count > MISBEHAVE_RULES_MAX)
        return config_value_fail(list, path, status, "has more than %d rules", MISBEHAVE_RULES_MAX);
    to->items = OPENSSL_zalloc((count + 1) * sizeof(*to->items));
    if (to->items == NULL)
        return config_value_fail(list, path, status, "does not fit in memory");
    for (size_t i = 0; i < count; i++) {
        if (!read_rule(&to->items[i], config_setting_get_elem(list, (unsigned)i), path, status))
            return false;
        to->count++;
    }
    return true;
}
