/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page for people: one HTML document that has its style and its script in it, and a policy
 * (Content-Security-Policy) that lets the browser run these two, known by their SHA-256, ask this
 * key server for figures, and nothing else.
 */
#ifndef QKD_KME_PAGE_H
#define QKD_KME_PAGE_H

#include "base/buf.h"
#include "base/status.h"
#include "kme/env.h"

enum { PAGE_MAX_BYTES = 65536, PAGE_HEADERS_BYTES = 1024 };

struct page {
    struct buf html;
    char headers[PAGE_HEADERS_BYTES]; /* whole lines, for struct http_answer */
};

/* False, and *status, when out of memory. */
bool page_make(struct page *page, const struct env *env, struct status *status);
void page_free(struct page *page);

#endif
