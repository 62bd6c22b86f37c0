/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request, private to http_request.c. */
#ifndef QKD_KME_HTTP_HEAD_H
#define QKD_KME_HTTP_HEAD_H

#include "kme/http_request.h"

/* Reads a whole head: `text` is all before the empty line. Sets the phase that follows. */
bool http_head_parse(struct http_request *request, const char *text, size_t length,
                     struct http_fault *fault);

/* Fills *fault in and returns false. */
bool http_refuse(struct http_fault *fault, int code, const char *message);

#endif
