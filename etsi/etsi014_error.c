/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "etsi/etsi014.h"
#include "etsi/json.h"

const char etsi014_size_not_multiple_of_8[] = "size shall be a multiple of 8";
const char etsi014_extension_mandatory_unsupported[] =
    "not all extension_mandatory parameters are supported";
const char etsi014_keys_not_found[] = "one or more keys specified are not found on KME";

bool etsi014_refuse(struct etsi014_error *error, int http_status, const char *format, ...)
{
    va_list args;

    memset(error, 0, sizeof(*error));
    error->http_status = http_status;
    va_start(args, format);
    vsnprintf(error->message, sizeof(error->message), format, args);
    va_end(args);
    return false;
}

/* Texts may hold what a client sent, cut in the middle of a character, which json_string refuses:
 * what is left of that character goes too. */
static json_t *text_value(const char *text)
{
    enum { PART_MAX_BYTES = 3 };
    size_t length = strlen(text);
    json_t *value = json_stringn(text, length);

    for (int i = 0; value == NULL && length > 0 && i < PART_MAX_BYTES; i++)
        value = json_stringn(text, --length);
    return value;
}

void etsi014_error_put(struct buf *buf, const struct etsi014_error *error)
{
    json_t *root = json_object();
    char *text;

    json_object_set_new(root, "message", text_value(error->message));
    if (error->detail_name[0] != '\0') {
        json_t *detail = json_object(), *details = json_array();

        json_object_set_new(detail, error->detail_name, text_value(error->detail_text));
        json_array_append_new(details, detail);
        json_object_set_new(root, "details", details);
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

/* The message of an Error object, or what servers send in its place: "detail" as a string or as
 * a list of objects with "msg" (FastAPI), or plain text. */
static void message_from_json(const json_t *root, char *message)
{
    static const char *const names[] = {"message", "detail", "error"};
    const json_t *array;
    const char *text;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_member_text(root, names[i], &text) == JSON_MEMBER_OK) {
            snprintf(message, ETSI014_MESSAGE_MAX_CHARS + 1, "%s", text);
            return;
        }
    }
    if (json_member_array(root, "detail", &array) == JSON_MEMBER_OK &&
        json_member_text(json_array_get(array, 0), "msg", &text) == JSON_MEMBER_OK)
        snprintf(message, ETSI014_MESSAGE_MAX_CHARS + 1, "%s", text);
}

static void extract_message(const char *body, size_t length, char *message)
{
    char reason[80];
    json_t *root;
    size_t start = 0;

    message[0] = '\0';
    while (start < length && strchr(" \t\r\n", body[start]) != NULL)
        start++;
    if (start == length || body[start] == '<')
        return;
    root = json_object_parse(body, length, reason, sizeof(reason));
    if (root != NULL)
        message_from_json(root, message);
    else if (body[start] != '{' && body[start] != '[')
        snprintf(message, ETSI014_MESSAGE_MAX_CHARS + 1, "%.*s",
                 (int)(length - start > 80 ? 80 : length - start), body + start);
    json_decref(root);
}

struct refusal_text {
    const char *fragment; /* lower case */
    enum etsi014_refusal refusal;
};

/* Texts of servers of the field; the first that occurs in the message decides. */
static const struct refusal_text refusal_texts[] = {
    {"are not found on kme", ETSI014_REFUSED_NOT_FOUND},
    {"not enough key", ETSI014_REFUSED_EXHAUSTED},
    {"insufficient", ETSI014_REFUSED_EXHAUSTED},
    {"no keys available", ETSI014_REFUSED_EXHAUSTED},
    {"not enough available", ETSI014_REFUSED_EXHAUSTED},
    {"pool empty", ETSI014_REFUSED_EXHAUSTED},
    {"keys do not exist", ETSI014_REFUSED_NOT_FOUND},
    {"key not found", ETSI014_REFUSED_NOT_FOUND},
    {"keys not found", ETSI014_REFUSED_NOT_FOUND},
};

static enum etsi014_refusal classify_by_text(const char *message, enum etsi014_refusal otherwise)
{
    for (size_t i = 0; i < sizeof(refusal_texts) / sizeof(refusal_texts[0]); i++)
        if (strcasestr(message, refusal_texts[i].fragment) != NULL)
            return refusal_texts[i].refusal;
    return otherwise;
}

/* A web server's words for a path that it does not have: lower case, anywhere in the message. */
static const char *const no_resource_texts[] = {
    "nothing at this path", "page not found", "no such resource", "no such path", "no route",
};

/* Whether a 404 speaks of the path and not of a key. */
static bool is_about_the_path(const char *body, size_t length, const char *message)
{
    size_t start = 0;

    while (start < length && strchr(" \t\r\n", body[start]) != NULL)
        start++;
    if (start < length && body[start] == '<') /* no key server writes HTML about a key */
        return true;
    for (size_t i = 0; i < sizeof(no_resource_texts) / sizeof(no_resource_texts[0]); i++)
        if (strcasestr(message, no_resource_texts[i]) != NULL)
            return true;
    return false;
}

enum etsi014_refusal etsi014_refusal_classify(enum etsi014_method method, int http_status,
                                              const void *body, size_t length,
                                              char message[static ETSI014_MESSAGE_MAX_CHARS + 1])
{
    extract_message(body, length, message);
    switch (http_status) {
    case 401:
    case 403:
        return ETSI014_REFUSED_UNAUTHORISED;
    case 400:
        return classify_by_text(message, ETSI014_REFUSED_REQUEST);
    case 404:
        if (is_about_the_path(body, length, message))
            return ETSI014_REFUSED_SERVER;
        /* On a claim it speaks of the key; on a reservation of the peer, unless the text says so.
         */
        return classify_by_text(message, method == ETSI014_GET_KEY_IDS ? ETSI014_REFUSED_NOT_FOUND
                                                                       : ETSI014_REFUSED_REQUEST);
    case 503:
        return ETSI014_REFUSED_EXHAUSTED;
    default:
        return ETSI014_REFUSED_SERVER;
    }
}
