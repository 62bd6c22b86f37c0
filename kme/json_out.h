/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON into a bounded buffer, in order. Texts may be any octets: what is not UTF-8 becomes
 * U+FFFD, and what could end a script or a tag is escaped. `name` is NULL for members of an array.
 * Pure.
 */
#ifndef QKD_KME_JSON_OUT_H
#define QKD_KME_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json_out {
    struct buf *buf; /* borrowed */
    bool follows;    /* something stands before in the same object or array */
};

void json_out_init(struct json_out *out, struct buf *buf);

void json_out_object(struct json_out *out, const char *name);
void json_out_object_end(struct json_out *out);
void json_out_array(struct json_out *out, const char *name);
void json_out_array_end(struct json_out *out);

/* NULL is written as null. */
void json_out_text(struct json_out *out, const char *name, const char *text);
void json_out_number(struct json_out *out, const char *name, int64_t value);
/* JSON that somebody else has written. */
void json_out_raw(struct json_out *out, const char *name, const char *json);
void json_out_bool(struct json_out *out, const char *name, bool value);

#endif
