/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP answer with its header, for checks that look at all of it. Pure. */
#ifndef QKD_CTL_CHECK_ANSWER_H
#define QKD_CTL_CHECK_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/status.h"
#include "net/http.h"

struct answer {
    int code;
    int interim_code; /* of the last 1xx before it; 0 = none */
    bool keep_alive;
    struct buf head; /* of the final answer, with its empty line */
    struct buf body; /* may be keys: wiped by answer_free */
};

void answer_init(struct answer *answer);
void answer_free(struct answer *answer);

/* Whether these octets look like JSON with a member "key". */
bool octets_have_keys(const void *octets, size_t length);

/* The value of a header field, cut to the size given; false when there is none. */
bool answer_field(const struct answer *answer, const char *name, char *value, size_t size);

/* Whether the field is there and its value begins with `word`, in any case of letters. */
bool answer_field_is(const struct answer *answer, const char *name, const char *word);

/* As http_response_feed, and keeps the head of the final answer. */
bool answer_feed(struct answer *answer, struct http_response *response, struct buf *input,
                 struct status *status);

/* Octets of the head at the front of the input, with its empty line; 0 = not all of it yet. */
size_t answer_head_length(const struct buf *input);

#endif
