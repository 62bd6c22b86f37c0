/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/overview.h"

#include <string.h>

#include "ctl/admin.h"

enum { NAME_BYTES = 64 };

json_t *overview_get(unsigned port, const struct deadline *deadline, struct status *status)
{
    json_t *overview = NULL;
    struct buf body;
    int code = 0;

    buf_init(&body, ADMIN_BODY_MAX_BYTES);
    if (!admin_get(port, "/state.json", deadline, &code, &body, status))
        goto end;
    if (code == 200)
        overview = json_loadb((const char *)body.data, body.length, JSON_REJECT_DUPLICATES, NULL);
    if (code != 200)
        status_fail(status, OUTCOME_KME, "http://127.0.0.1:%u/state.json answered %d", port, code);
    else if (!json_is_object(overview))
        status_fail(status, OUTCOME_KME,
                    "http://127.0.0.1:%u/state.json is no JSON object; is this the admin side of a "
                    "qkd-kme?",
                    port);
end:
    buf_free(&body);
    if (status->outcome == OUTCOME_OK)
        return overview;
    json_decref(overview);
    return NULL;
}

static const json_t *find(const json_t *object, const char *path)
{
    char name[NAME_BYTES];

    while (object != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");

        if (length >= sizeof(name))
            return NULL;
        memcpy(name, path, length);
        name[length] = '\0';
        object = json_object_get(object, name);
        path += path[length] == '.' ? length + 1 : length;
    }
    return object;
}

json_int_t overview_number(const json_t *object, const char *path)
{
    return json_integer_value(find(object, path));
}

const char *overview_text(const json_t *object, const char *path)
{
    const char *text = json_string_value(find(object, path));

    return text != NULL ? text : "";
}

bool overview_is_healthy(const json_t *overview, const char **reason)
{
    const char *first = json_string_value(json_array_get(find(overview, "health.reasons"), 0));

    *reason = first != NULL ? first : "ok";
    return json_is_true(find(overview, "health.ok"));
}
