/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "etsi/etsi014.h"
#include "etsi/json.h"

struct text_member {
    const char *name;
    size_t offset; /* of a char[ETSI014_ID_MAX_CHARS + 1] */
};

struct integer_member {
    const char *name;
    size_t offset; /* of an int64_t */
};

#define MEMBER(json_name, field)                                                                   \
    {                                                                                              \
        json_name, offsetof(struct etsi014_status, field)                                          \
    }

static const struct text_member text_members[] = {
    MEMBER("source_KME_ID", source_kme_id),
    MEMBER("target_KME_ID", target_kme_id),
    MEMBER("master_SAE_ID", master_sae_id),
    MEMBER("slave_SAE_ID", slave_sae_id),
};

static const struct integer_member integer_members[] = {
    MEMBER("key_size", key_size_bits),
    MEMBER("stored_key_count", stored_key_count),
    MEMBER("max_key_count", max_key_count),
    MEMBER("max_key_per_request", max_key_per_request),
    MEMBER("max_key_size", max_key_size_bits),
    MEMBER("min_key_size", min_key_size_bits),
    MEMBER("max_SAE_ID_count", max_sae_id_count),
};

enum {
    TEXT_MEMBERS = sizeof(text_members) / sizeof(text_members[0]),
    INTEGER_MEMBERS = sizeof(integer_members) / sizeof(integer_members[0])
};

void etsi014_status_put(struct buf *buf, const struct etsi014_status *value)
{
    const char *base = (const char *)value;
    json_t *root = json_object();
    char *text;

    for (size_t i = 0; i < TEXT_MEMBERS; i++)
        json_object_set_new(root, text_members[i].name, json_string(base + text_members[i].offset));
    for (size_t i = 0; i < INTEGER_MEMBERS; i++) {
        int64_t number;

        memcpy(&number, base + integer_members[i].offset, sizeof(number));
        json_object_set_new(root, integer_members[i].name, json_integer(number));
    }
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (text == NULL) {
        buf->failed = true;
        return;
    }
    buf_put_text(buf, text);
    free(text);
}

static bool parse_members(const json_t *root, struct etsi014_status *value, struct status *status)
{
    char *base = (char *)value;

    for (size_t i = 0; i < TEXT_MEMBERS; i++) {
        const char *text = "";

        if (json_member_text(root, text_members[i].name, &text) == JSON_MEMBER_WRONG_TYPE ||
            strlen(text) > ETSI014_ID_MAX_CHARS)
            return status_fail(status, OUTCOME_KME, "%s in the status is not a short text",
                               text_members[i].name);
        memcpy(base + text_members[i].offset, text, strlen(text) + 1);
    }
    for (size_t i = 0; i < INTEGER_MEMBERS; i++) {
        int64_t number = 0;

        if (json_member_integer(root, integer_members[i].name, &number) == JSON_MEMBER_WRONG_TYPE)
            return status_fail(status, OUTCOME_KME, "%s in the status is not an integer",
                               integer_members[i].name);
        memcpy(base + integer_members[i].offset, &number, sizeof(number));
    }
    return true;
}

bool etsi014_status_parse(const void *json, size_t length, struct etsi014_status *value,
                          struct status *status)
{
    char reason[80];
    json_t *root = json_object_parse(json, length, reason, sizeof(reason));
    bool ok;

    memset(value, 0, sizeof(*value));
    if (root == NULL)
        return status_fail(status, OUTCOME_KME, "the answer is %s", reason);
    ok = parse_members(root, value, status);
    json_decref(root);
    return ok;
}
