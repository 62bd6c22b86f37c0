/* SPDX-License-Identifier: Apache-2.0 */
/* Talks to the admin side of a key server: plain HTTP on the loopback address. */
#ifndef QKD_CTL_ADMIN_H
#define QKD_CTL_ADMIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"

enum { ADMIN_BODY_MAX_BYTES = 2097152 };

/* GET http://127.0.0.1:PORT/PATH. Appends the body, without a NUL, and sets the HTTP code. */
bool admin_get(unsigned port, const char *path, const struct deadline *deadline, int *code,
               struct buf *body, struct status *status);

/* The same with a POST of this JSON. */
bool admin_post(unsigned port, const char *path, const struct buf *json,
                const struct deadline *deadline, int *code, struct buf *body,
                struct status *status);

/* The port of http://127.0.0.1:PORT or http://localhost:PORT, as --admin takes them. *status
 * (OUTCOME_INPUT) for anything else. */
bool admin_port_parse(const char *url, unsigned *port, struct status *status);

#endif
