/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/base64.h"
#include "etsi/etsi014.h"
#include "etsi/json.h"
#include "etsi/key_lift.h"

void etsi014_container_put(struct buf *buf, const struct etsi014_container *container)
{
    char id[KEY_ID_TEXT_CHARS + 1];

    /* Neither a UUID nor base64 needs escaping, and the JSON library would copy the keys. */
    buf_put_text(buf, "{\"keys\":[");
    for (size_t i = 0; i < container->count; i++) {
        const struct etsi014_key *key = &container->keys[i];

        key_id_format(&key->id, id);
        buf_put_format(buf, "%s{\"key_ID\":\"%s\",\"key\":\"", i > 0 ? "," : "", id);
        base64_put(buf, key->key->bytes, key->key->size_bytes);
        buf_put_text(buf, "\"}");
    }
    buf_put_text(buf, "]}");
}

static bool has_id(const struct etsi014_container *container, const struct key_id *id)
{
    for (size_t i = 0; i < container->count; i++)
        if (key_id_equal(&container->keys[i].id, id))
            return true;
    return false;
}

static bool parse_key(const json_t *entry, struct lifted_keys *lifted,
                      struct etsi014_container *container, struct status *status)
{
    const char *id_text, *marker;
    struct etsi014_key *key = &container->keys[container->count];
    size_t place = container->count + 1;

    if ((json_member_text(entry, "key_ID", &id_text) != JSON_MEMBER_OK &&
         json_member_text(entry, "key_id", &id_text) != JSON_MEMBER_OK) ||
        json_member_text(entry, "key", &marker) != JSON_MEMBER_OK)
        return status_fail(status, OUTCOME_KME, "key %zu of the answer lacks key_ID or key", place);
    if (!key_id_parse(id_text, strlen(id_text), &key->id))
        return status_fail(status, OUTCOME_KME, "the key_ID of key %zu of the answer is no UUID",
                           place);
    if (has_id(container, &key->id))
        return status_fail(status, OUTCOME_KME, "the answer holds key_ID %s twice", id_text);
    key->key = key_lift_take(lifted, marker);
    if (key->key == NULL)
        return status_fail(status, OUTCOME_KME, "key %zu of the answer is not canonical base64",
                           place);
    container->count++;
    return true;
}

static bool parse_keys(const json_t *root, struct lifted_keys *lifted,
                       struct etsi014_container *container, struct status *status)
{
    const json_t *keys;

    if (json_member_array(root, "keys", &keys) != JSON_MEMBER_OK)
        return status_fail(status, OUTCOME_KME, "the answer has no array \"keys\"");
    if (json_array_size(keys) > ETSI014_KEYS_MAX)
        return status_fail(status, OUTCOME_KME, "the answer holds %zu keys, more than %d",
                           json_array_size(keys), ETSI014_KEYS_MAX);
    for (size_t i = 0; i < json_array_size(keys); i++)
        if (!parse_key(json_array_get(keys, i), lifted, container, status))
            return false;
    return true;
}

bool etsi014_container_parse(char *json, size_t length, struct etsi014_container *container,
                             struct status *status)
{
    struct secret *places[ETSI014_KEYS_MAX] = {NULL};
    struct lifted_keys lifted = {0, ETSI014_KEYS_MAX, places};
    char reason[80];
    json_t *root = NULL;
    bool ok = false;

    container->count = 0;
    if (key_lift(json, length, &lifted, status)) {
        root = json_object_parse(json, length, reason, sizeof(reason));
        if (root == NULL)
            status_fail(status, OUTCOME_KME, "the answer is %s", reason);
        else
            ok = parse_keys(root, &lifted, container, status);
    }
    for (size_t i = 0; i < lifted.count; i++)
        secret_free(places[i]);
    json_decref(root);
    if (!ok)
        etsi014_container_free(container);
    return ok;
}

void etsi014_container_free(struct etsi014_container *container)
{
    for (size_t i = 0; i < container->count; i++)
        secret_free(container->keys[i].key);
    container->count = 0;
}
