/* SPDX-License-Identifier: Apache-2.0 */
#include "etsi/key_lift.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/base64.h"

static const char key_name[] = "\"key\"";

/* The place after the closing quote of the string that opens at text[start]. */
static size_t string_end(const char *text, size_t length, size_t start)
{
    for (size_t i = start + 1; i < length; i++) {
        if (text[i] == '\\')
            i++;
        else if (text[i] == '"')
            return i + 1;
    }
    return length;
}

static size_t skip_space(const char *text, size_t length, size_t i)
{
    while (i < length && memchr(" \t\r\n", text[i], 4) != NULL)
        i++;
    return i;
}

/* JSON writers may escape the slash, which base64 uses; shortens the text in place. */
static size_t unescape_slashes(char *text, size_t length)
{
    size_t to = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\' && i + 1 < length && text[i + 1] == '/')
            i++;
        text[to++] = text[i];
    }
    return to;
}

static bool lift_value(char *value, size_t length, struct lifted_keys *lifted,
                       struct status *status)
{
    char marker[16];
    size_t marker_length;

    if (lifted->count == lifted->max)
        return status_fail(status, OUTCOME_KME, "the answer holds more than %zu keys", lifted->max);
    /* NULL for what is no key; it matters only if the text is asked for as one. */
    lifted->keys[lifted->count] = base64_decode(value, unescape_slashes(value, length));
    OPENSSL_cleanse(value, length);
    memset(value, ' ', length);
    marker_length = (size_t)snprintf(marker, sizeof(marker), "%zu", lifted->count++);
    if (marker_length <= length)
        memcpy(value, marker, marker_length);
    return true;
}

bool key_lift(char *json, size_t length, struct lifted_keys *lifted, struct status *status)
{
    size_t i = 0;

    while (i < length) {
        size_t start = i, end, value;

        if (json[i] != '"') {
            i++;
            continue;
        }
        end = string_end(json, length, start);
        i = skip_space(json, length, end);
        if (i == length || json[i] != ':')
            continue;
        if (memmem(json + start, end - start, "\\u", 2) != NULL)
            return status_fail(
                status, OUTCOME_KME,
                "a member name of the answer has a \\u escape, which could hide a key");
        if (end - start != sizeof(key_name) - 1 || memcmp(json + start, key_name, end - start) != 0)
            continue;
        value = skip_space(json, length, i + 1);
        if (value == length || json[value] != '"')
            continue;
        i = string_end(json, length, value);
        if (i - value < 2 || json[i - 1] != '"')
            return status_fail(status, OUTCOME_KME, "the answer ends inside a key");
        if (!lift_value(json + value + 1, i - value - 2, lifted, status))
            return false;
    }
    return true;
}

struct secret *key_lift_take(struct lifted_keys *lifted, const char *marker)
{
    unsigned long ordinal;
    struct secret *key;
    char *end;

    if (*marker < '0' || *marker > '9')
        return NULL;
    ordinal = strtoul(marker, &end, 10);
    if (end[strspn(end, " ")] != '\0' || ordinal >= lifted->count)
        return NULL;
    key = lifted->keys[ordinal];
    lifted->keys[ordinal] = NULL;
    return key;
}
