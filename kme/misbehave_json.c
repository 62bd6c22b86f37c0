/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of misbehaviour as JSON, in both directions. */
#include <string.h>

#include "kme/misbehave.h"

static bool read_rule(json_t *object, struct misbehave_rule *rule, struct status *status)
{
    const char *name;
    json_t *value;

    misbehave_rule_init(rule);
    if (!json_is_object(object))
        return status_fail(status, OUTCOME_INPUT, "\"set\" is not an object");
    json_object_foreach(object, name, value)
    {
        bool ok;

        if (json_is_string(value))
            ok = strlen(json_string_value(value)) == json_string_length(value)
                     ? misbehave_rule_text(rule, name, json_string_value(value), status)
                     : status_fail(status, OUTCOME_INPUT, "a text has a NUL inside");
        else if (json_is_integer(value))
            ok = misbehave_rule_number(rule, name, json_integer_value(value), status);
        else
            ok = status_fail(status, OUTCOME_INPUT, "'%.40s' is neither a text nor an integer",
                             name);
        if (!ok)
            return false;
    }
    return misbehave_rule_finish(rule, status);
}

static bool read_clear(const json_t *value, struct misbehave_request *request,
                       struct status *status)
{
    request->what = MISBEHAVE_CLEAR;
    request->number = 0;
    if (json_is_string(value) && strcmp(json_string_value(value), "all") == 0)
        return true;
    if (json_is_integer(value) && json_integer_value(value) > 0) {
        request->number = json_integer_value(value);
        return true;
    }
    return status_fail(status, OUTCOME_INPUT, "\"clear\" is neither \"all\" nor a rule's number");
}

bool misbehave_request_parse(const void *json, size_t length, struct misbehave_request *request,
                             struct status *status)
{
    json_t *root = length > MISBEHAVE_REQUEST_MAX_BYTES
                       ? NULL
                       : json_loadb(json, length, JSON_REJECT_DUPLICATES, NULL);
    json_t *set = json_object_get(root, "set"), *undo = json_object_get(root, "clear");
    bool ok;

    memset(request, 0, sizeof(*request));
    if (root == NULL)
        ok = status_fail(status, OUTCOME_INPUT, "the body is not JSON of at most %d octets",
                         MISBEHAVE_REQUEST_MAX_BYTES);
    else if (json_object_size(root) != 1 || (set == NULL && undo == NULL))
        ok = status_fail(status, OUTCOME_INPUT,
                         "the body is neither {\"set\": {...}} nor {\"clear\": ...}");
    else if (set != NULL)
        ok = read_rule(set, &request->rule, status);
    else
        ok = read_clear(undo, request, status);
    json_decref(root);
    return ok;
}

static void put_text(void *arg, const char *name, const char *text)
{
    json_object_set_new(arg, name, json_string(text));
}

static void put_number(void *arg, const char *name, int64_t number)
{
    json_object_set_new(arg, name, json_integer(number));
}

json_t *misbehave_json(const struct misbehave *set)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < set->count; i++) {
        const struct misbehave_active *active = &set->items[i];
        json_t *object = json_object();

        put_number(object, "rule", active->number);
        put_text(object, "origin", active->from_file ? "configuration" : "admin");
        misbehave_rule_visit(&active->rule, put_text, put_number, object);
        put_number(object, "asked", (int64_t)active->asked);
        put_number(object, "happened", (int64_t)active->happened);
        if (json_array_append_new(list, object) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}
