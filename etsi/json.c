/* SPDX-License-Identifier: Apache-2.0 */
#include "etsi/json.h"

#include <stdio.h>

#include "etsi/etsi014.h"

/* jansson recurses up to 2048 levels; a nesting bomb is refused before it starts. */
static bool is_too_deep(const char *text, size_t length)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < length; i++) {
        if (in_string) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                in_string = false;
            continue;
        }
        if (text[i] == '"')
            in_string = true;
        else if (text[i] == '{' || text[i] == '[')
            depth++;
        else if ((text[i] == '}' || text[i] == ']') && depth > 0)
            depth--;
        if (depth > ETSI014_JSON_MAX_DEPTH)
            return true;
    }
    return false;
}

json_t *json_object_parse(const void *text, size_t length, char *reason, size_t reason_size)
{
    json_error_t error;
    json_t *value;

    if (is_too_deep(text, length)) {
        snprintf(reason, reason_size, "the JSON is nested more than %d levels deep",
                 ETSI014_JSON_MAX_DEPTH);
        return NULL;
    }
    value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL) {
        /* Only the place: jansson's own text would quote what it read. */
        snprintf(reason, reason_size, "not valid JSON at line %d column %d", error.line,
                 error.column);
        return NULL;
    }
    if (!json_is_object(value)) {
        snprintf(reason, reason_size, "the JSON is not an object");
        json_decref(value);
        return NULL;
    }
    return value;
}

enum json_member json_member_integer(const json_t *object, const char *name, int64_t *value)
{
    const json_t *member = json_object_get(object, name);

    if (member == NULL)
        return JSON_MEMBER_ABSENT;
    if (!json_is_integer(member))
        return JSON_MEMBER_WRONG_TYPE;
    *value = json_integer_value(member);
    return JSON_MEMBER_OK;
}

enum json_member json_member_text(const json_t *object, const char *name, const char **value)
{
    const json_t *member = json_object_get(object, name);

    if (member == NULL)
        return JSON_MEMBER_ABSENT;
    if (!json_is_string(member))
        return JSON_MEMBER_WRONG_TYPE;
    *value = json_string_value(member);
    return JSON_MEMBER_OK;
}

enum json_member json_member_array(const json_t *object, const char *name, const json_t **value)
{
    const json_t *member = json_object_get(object, name);

    if (member == NULL)
        return JSON_MEMBER_ABSENT;
    if (!json_is_array(member))
        return JSON_MEMBER_WRONG_TYPE;
    *value = member;
    return JSON_MEMBER_OK;
}
