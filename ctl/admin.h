/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the admin side of a key server: plain HTTP on the loopback address. */
#ifndef QKD_CTL_ADMIN_H
#define QKD_CTL_ADMIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"

enum { ADMIN_BODY_MAX_BYTES = 1048576 };

/* GET http://127.0.0.1:PORT/PATH. Appends the body, without a NUL, and sets the HTTP code. */
bool admin_get(unsigned port, const char *path, const struct deadline *deadline, int *code,
               struct buf *body, struct status *status);

#endif
