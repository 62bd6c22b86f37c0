/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS for checks: one end's connection to its key server, kept while the key server keeps it,
 * with every octet of a request in the check's hands and the header of the answer in its sight.
 */
#ifndef QKD_CTL_CHECK_HTTP_H
#define QKD_CTL_CHECK_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"
#include "ctl/check_answer.h"
#include "net/connection.h"
#include "net/endpoint.h"

struct https {
    struct endpoint *endpoint;     /* borrowed */
    struct connection *connection; /* NULL = not open */
    struct buf input;              /* what came and was not taken yet */
};

void https_init(struct https *https, struct endpoint *endpoint);
void https_close(struct https *https); /* usable again afterwards */

struct ask {
    const char *method; /* NULL = GET without a body, POST with one */
    const char *path;   /* whole, with its query */
    const char *fields; /* more header lines, each with CR LF; NULL = none */
    const void *body;   /* NULL = none, and no Content-Length */
    size_t length;
    const char *content_type; /* NULL = application/json where there is a body; "" = none */
};

/* Appends the octets of the request. */
void https_put(struct buf *octets, const struct https *https, const struct ask *ask);

/* Opens a connection unless one is open and alive. */
bool https_open(struct https *https, const struct deadline *deadline, struct status *status);

/* On the open connection. */
bool https_send(struct https *https, const void *octets, size_t length,
                const struct deadline *deadline, struct status *status);

/* The next answer. *answer is initialised, and freed by the caller in any case. A connection
 * that cannot be used further is closed. */
bool https_receive(struct https *https, struct answer *answer, const struct deadline *deadline,
                   struct status *status);

/* Waits for the head of the next answer, which is not taken: whether it is an interim one (1xx). */
bool https_await_interim(struct https *https, const struct deadline *deadline,
                         struct status *status);

/* All of it. */
bool https_call(struct https *https, const struct ask *ask, struct answer *answer,
                const struct deadline *deadline, struct status *status);

#endif
