/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check_answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "etsi/etsi014.h"

void answer_init(struct answer *answer)
{
    *answer = (struct answer){0};
    buf_init(&answer->head, HTTP_HEAD_MAX_BYTES);
    buf_init(&answer->body, ETSI014_RESPONSE_MAX_BYTES);
}

void answer_free(struct answer *answer)
{
    buf_free(&answer->head);
    buf_free(&answer->body);
}

/* A member, not the word within an error text, where its quotes are escaped. */
bool octets_have_keys(const void *octets, size_t length)
{
    static const char member[] = "\"key\"";
    const char *at = octets, *end = at + length;

    while (at != NULL && at < end &&
           (at = memmem(at, (size_t)(end - at), member, strlen(member))) != NULL) {
        if (at == (const char *)octets || at[-1] != '\\')
            return true;
        at++;
    }
    return false;
}

/* The value of the field in the line at `line`, which ends at `end`; NULL when it is another. */
static const char *value_in(const char *line, const char *end, const char *name)
{
    size_t length = strlen(name);

    if ((size_t)(end - line) <= length || line[length] != ':' ||
        strncasecmp(line, name, length) != 0)
        return NULL;
    for (line += length + 1; line < end && (*line == ' ' || *line == '\t');)
        line++;
    return line;
}

bool answer_field(const struct answer *answer, const char *name, char *value, size_t size)
{
    const char *at = (const char *)answer->head.data, *end = at + answer->head.length;

    while (answer->head.length > 0 && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *found;

        if (newline == NULL)
            return false;
        found = value_in(at, newline, name);
        if (found != NULL) {
            size_t length = (size_t)(newline - found);

            while (length > 0 && strchr("\r \t", found[length - 1]) != NULL)
                length--;
            snprintf(value, size, "%.*s", (int)length, found);
            return true;
        }
        at = newline + 1;
    }
    return false;
}

bool answer_field_is(const struct answer *answer, const char *name, const char *word)
{
    char value[128];

    return answer_field(answer, name, value, sizeof(value)) &&
           strncasecmp(value, word, strlen(word)) == 0;
}

/* Lines end with LF, and a CR before it belongs to the end. */
size_t answer_head_length(const struct buf *input)
{
    for (size_t i = 0; i + 1 < input->length; i++) {
        if (input->data[i] != '\n')
            continue;
        if (input->data[i + 1] == '\n')
            return i + 2;
        if (input->data[i + 1] == '\r' && i + 2 < input->length && input->data[i + 2] == '\n')
            return i + 3;
    }
    return 0;
}

/* One head at a time, so that the final one can be kept. */
static bool feed_head(struct answer *answer, struct http_response *response, struct buf *input,
                      bool *progress, struct status *status)
{
    size_t length = answer_head_length(input);
    struct buf head;
    bool ok;

    *progress = length > 0;
    if (length > HTTP_HEAD_MAX_BYTES || (length == 0 && input->length > HTTP_HEAD_MAX_BYTES))
        return status_fail(status, OUTCOME_KME, "the head of its answer exceeds %d octets",
                           HTTP_HEAD_MAX_BYTES);
    if (length == 0)
        return true;
    buf_init(&head, length);
    buf_put(&head, input->data, length);
    buf_reset(&answer->head);
    buf_put(&answer->head, input->data, length);
    buf_consume(input, length);
    ok = !head.failed && !answer->head.failed && http_response_feed(response, &head, status);
    buf_free(&head);
    if (ok && response->phase == HTTP_HEAD)
        answer->interim_code = response->code;
    return ok || status_fail(status, OUTCOME_INTERNAL, "out of memory for an answer");
}

bool answer_feed(struct answer *answer, struct http_response *response, struct buf *input,
                 struct status *status)
{
    bool progress = true;

    while (response->phase == HTTP_HEAD && progress)
        if (!feed_head(answer, response, input, &progress, status))
            return false;
    return response->phase != HTTP_BODY || http_response_feed(response, input, status);
}
