/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ETSI 014 needs of jansson, in one place: strict parsing and typed members. Private to
 * this folder.
 */
#ifndef QKD_ETSI_JSON_H
#define QKD_ETSI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* An object out of exactly these octets: UTF-8, no duplicate members, nesting at most
 * ETSI014_JSON_MAX_DEPTH. NULL with a reason of at most reason_size characters. The caller
 * decrefs. */
json_t *json_object_parse(const void *text, size_t length, char *reason, size_t reason_size);

enum json_member { JSON_MEMBER_ABSENT, JSON_MEMBER_OK, JSON_MEMBER_WRONG_TYPE };

enum json_member json_member_integer(const json_t *object, const char *name, int64_t *value);

/* The member's text, borrowed from the object. */
enum json_member json_member_text(const json_t *object, const char *name, const char **value);

enum json_member json_member_array(const json_t *object, const char *name, const json_t **value);

#endif
