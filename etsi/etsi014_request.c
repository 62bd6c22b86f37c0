/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "etsi/etsi014.h"
#include "etsi/json.h"

static const char *const method_names[] = {
    [ETSI014_GET_STATUS] = "status",
    [ETSI014_GET_KEY] = "enc_keys",
    [ETSI014_GET_KEY_IDS] = "dec_keys",
};

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void etsi014_put_path(struct buf *buf, const char *peer_sae, enum etsi014_method method)
{
    buf_put_text(buf, "/api/v1/keys/");
    for (const char *c = peer_sae; *c != '\0'; c++) {
        if (is_unreserved(*c))
            buf_put_u8(buf, (uint8_t)*c);
        else
            buf_put_format(buf, "%%%02X", (unsigned)(uint8_t)*c);
    }
    buf_put_text(buf, "/");
    buf_put_text(buf, method_names[method]);
}

static json_t *parse_body(const void *json, size_t length, struct etsi014_error *error)
{
    char reason[80];
    json_t *root = json_object_parse(json, length, reason, sizeof(reason));

    if (root == NULL)
        etsi014_refuse(error, 400, "request body: %s", reason);
    return root;
}

/* Both extension members are arrays of objects (Table 10); returns the first name in one. */
static bool extension_name(const json_t *root, const char *member, const char **name,
                           struct etsi014_error *error)
{
    const json_t *array;
    enum json_member found = json_member_array(root, member, &array);

    *name = NULL;
    if (found == JSON_MEMBER_ABSENT)
        return true;
    if (found == JSON_MEMBER_WRONG_TYPE)
        return etsi014_refuse(error, 400, "%s shall be an array of objects", member);
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *entry = json_array_get(array, i);

        if (!json_is_object(entry))
            return etsi014_refuse(error, 400, "%s shall be an array of objects", member);
        if (*name == NULL)
            *name = json_object_iter_key(json_object_iter(entry));
    }
    return true;
}

static bool parse_extensions(const json_t *root, struct etsi014_key_request *request,
                             struct etsi014_error *error)
{
    const char *name;

    if (!extension_name(root, "extension_optional", &name, error) ||
        !extension_name(root, "extension_mandatory", &name, error))
        return false;
    if (name != NULL)
        snprintf(request->extension_mandatory, sizeof(request->extension_mandatory), "%s",
                 *name != '\0' ? name : "(unnamed)");
    return true;
}

static bool take_slave(const json_t *value, size_t index, struct etsi014_key_request *request,
                       struct etsi014_error *error)
{
    size_t length = json_string_length(value);

    if (!json_is_string(value))
        return etsi014_refuse(error, 400, "additional_slave_SAE_IDs shall be an array of strings");
    if (length == 0 || length > ETSI014_ID_MAX_CHARS)
        return etsi014_refuse(error, 400,
                              "an entry of additional_slave_SAE_IDs is not of 1 to %d "
                              "octets",
                              ETSI014_ID_MAX_CHARS);
    if (index < ETSI014_ADDITIONAL_SLAVES_MAX)
        memcpy(request->additional_slaves[index], json_string_value(value), length + 1);
    return true;
}

static bool parse_additional_slaves(const json_t *root, struct etsi014_key_request *request,
                                    struct etsi014_error *error)
{
    const json_t *array;
    enum json_member found = json_member_array(root, "additional_slave_SAE_IDs", &array);

    if (found == JSON_MEMBER_ABSENT)
        return true;
    if (found == JSON_MEMBER_WRONG_TYPE)
        return etsi014_refuse(error, 400, "additional_slave_SAE_IDs shall be an array of strings");
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!take_slave(json_array_get(array, i), i, request, error))
            return false;
    request->additional_slave_count = json_array_size(array);
    return true;
}

static bool parse_request_members(const json_t *root, struct etsi014_key_request *request,
                                  struct etsi014_error *error)
{
    if (json_member_integer(root, "number", &request->number) == JSON_MEMBER_WRONG_TYPE)
        return etsi014_refuse(error, 400, "number shall be an integer");
    switch (json_member_integer(root, "size", &request->size_bits)) {
    case JSON_MEMBER_WRONG_TYPE:
        return etsi014_refuse(error, 400, "size shall be an integer");
    case JSON_MEMBER_OK:
        /* 0 means "not given" from here on, so a given 0 ends here. */
        if (request->size_bits <= 0)
            return etsi014_refuse(error, 400, "size shall be greater than 0");
        break;
    case JSON_MEMBER_ABSENT:
        break;
    }
    return parse_additional_slaves(root, request, error) && parse_extensions(root, request, error);
}

bool etsi014_key_request_parse(const void *json, size_t length, struct etsi014_key_request *request,
                               struct etsi014_error *error)
{
    json_t *root;
    bool ok;

    memset(request, 0, sizeof(*request));
    request->number = 1;
    if (length == 0)
        return true;
    root = parse_body(json, length, error);
    if (root == NULL)
        return false;
    ok = parse_request_members(root, request, error);
    json_decref(root);
    return ok;
}

void etsi014_key_request_put(struct buf *buf, int64_t number, int64_t size_bits)
{
    buf_put_format(buf, "{\"number\":%lld,\"size\":%lld}", (long long)number, (long long)size_bits);
}

static bool parse_key_id(const json_t *entry, struct key_id *ids, size_t place,
                         struct etsi014_error *error)
{
    const char *text;

    if (!json_is_object(entry))
        return etsi014_refuse(error, 400, "key_IDs shall be an array of objects with key_ID");
    if (json_member_text(entry, "key_ID", &text) != JSON_MEMBER_OK)
        return etsi014_refuse(error, 400, "each entry of key_IDs shall have a string key_ID");
    if (!key_id_parse(text, strlen(text), &ids[place]))
        return etsi014_refuse(error, 400, "key_ID %zu is not a UUID", place + 1);
    for (size_t i = 0; i < place; i++)
        if (key_id_equal(&ids[i], &ids[place]))
            return etsi014_refuse(error, 400, "key_ID %zu repeats key_ID %zu", place + 1, i + 1);
    return true;
}

static bool parse_key_ids(const json_t *root, struct key_id *ids, size_t max_ids, size_t *count,
                          struct etsi014_error *error)
{
    const json_t *array;
    size_t size;

    if (json_member_array(root, "key_IDs", &array) != JSON_MEMBER_OK)
        return etsi014_refuse(error, 400, "the request has no array key_IDs");
    size = json_array_size(array);
    if (size == 0)
        return etsi014_refuse(error, 400, "key_IDs is empty");
    if (size > max_ids)
        return etsi014_refuse(error, 400, "key_IDs has %zu entries, more than %zu", size, max_ids);
    for (size_t i = 0; i < size; i++)
        if (!parse_key_id(json_array_get(array, i), ids, i, error))
            return false;
    *count = size;
    return true;
}

bool etsi014_key_ids_parse(const void *json, size_t length, struct key_id *ids, size_t max_ids,
                           size_t *count, struct etsi014_error *error)
{
    json_t *root = parse_body(json, length, error);
    bool ok;

    if (root == NULL)
        return false;
    ok = parse_key_ids(root, ids, max_ids, count, error);
    json_decref(root);
    return ok;
}

void etsi014_key_ids_put(struct buf *buf, const struct key_id *ids, size_t count)
{
    char text[KEY_ID_TEXT_CHARS + 1];

    buf_put_text(buf, "{\"key_IDs\":[");
    for (size_t i = 0; i < count; i++) {
        key_id_format(&ids[i], text);
        buf_put_format(buf, "%s{\"key_ID\":\"%s\"}", i > 0 ? "," : "", text);
    }
    buf_put_text(buf, "]}");
}
