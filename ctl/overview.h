/* SPDX-License-Identifier: Apache-2.0 */
/* What a key server of ours tells about itself (GET /state.json of its admin side). */
#ifndef QKD_CTL_OVERVIEW_H
#define QKD_CTL_OVERVIEW_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/deadline.h"
#include "base/status.h"

/* An object; the caller decrefs it. NULL, and *status, when it cannot be had. */
json_t *overview_get(unsigned port, const struct deadline *deadline, struct status *status);

/* Whether its links are up and keys flow; *reason is the first reason why not, borrowed, or "ok".
 */
bool overview_is_healthy(const json_t *overview, const char **reason);

/* Members of members: "store.kind". 0 and "" where there is none. */
json_int_t overview_number(const json_t *object, const char *path);
const char *overview_text(const json_t *object, const char *path);

/* For people, to standard output. */
void overview_print(const json_t *overview);

/* The newest errors, at most so many, under a heading; nothing when there are none. */
void overview_print_errors(const json_t *overview, const char *heading, size_t most);

#endif
